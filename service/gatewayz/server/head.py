"""Is the head of a request sane? Decided from its lines alone: no connection, no clock.

What two HTTP implementations could read differently is refused (RFC 9112 §11.2, request smuggling): whoever stands between
the caller and us, or behind us, must see the same request.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from gatewayz.errors import GatewayError, HeadersTooLarge, InvalidRequest
from gatewayz.records import Record

_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]+)(?::[0-9]{0,5})?")
_UNDERSCORED = frozenset({b"session_id", b"conversation_id", b"thread_id"})
"""Codex sends these. In any other name some servers read an underscore as a hyphen: two readings of one request."""
_LINE_OVERHEAD = len(": \r\n")


class HeadLimits(Record, frozen=True):
    """``max_bytes`` counts the request's target and all header lines."""

    max_headers: int
    max_bytes: int


def check_head(
    target: bytes,
    version: str,
    headers: Sequence[tuple[bytes, bytes]],
    limits: HeadLimits,
    received_bytes: int,
    tunnel: bool = False,
) -> GatewayError | None:
    """What is wrong with a request's head, or None.

    ``headers`` with lower-case names; ``version`` as in the request line (``1.0`` or ``1.1``). ``received_bytes`` is the most
    that the head can measure: its size is added up only if that exceeds the limit. ``tunnel``: the method is CONNECT.
    """
    if len(headers) > limits.max_headers:
        return HeadersTooLarge(f"The request has more than {limits.max_headers} headers.")
    if received_bytes > limits.max_bytes:
        size = len(target) + sum(len(name) + len(value) + _LINE_OVERHEAD for name, value in headers)
        if size > limits.max_bytes:
            return head_too_large(limits)
    host: bytes | None = None
    for name, value in headers:
        if name == b"host":
            if host is not None:
                return malformed("there must be one Host header")
            host = value
        elif name == b"transfer-encoding":
            if version == "1.0" or value.lower() != b"chunked":
                return malformed("the only Transfer-Encoding is chunked, in HTTP/1.1")
        elif b"_" in name and name not in _UNDERSCORED:
            return malformed(f"the header name {name[:64].decode('latin-1')!r} has an underscore")
    if host is None:
        if version != "1.0":
            return malformed("there must be one Host header")
    elif not _is_host(host):
        return malformed("the Host header is no host")
    if tunnel or b"#" in target:
        return malformed("the request target is none of this server's")
    return None


def head_too_large(limits: HeadLimits) -> HeadersTooLarge:
    """The error for a request line and headers beyond ``limits.max_bytes``."""
    return HeadersTooLarge(f"The request line and headers are larger than the limit of {limits.max_bytes} bytes.")


def malformed(reason: str) -> InvalidRequest:
    """The error for what is no valid HTTP; ``reason`` completes the sentence."""
    return InvalidRequest(f"This is no valid HTTP request: {reason}.", code="malformed_request")


@lru_cache(maxsize=256)  # a server is called by few names, and the pattern costs as much as all other checks
def _is_host(value: bytes) -> bool:
    return _HOST.fullmatch(value) is not None
