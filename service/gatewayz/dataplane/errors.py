"""What the headers of a refusal say, whatever wire its body is in."""

from __future__ import annotations

from math import ceil

from gatewayz.dataplane.http import JSON, Headers
from gatewayz.errors import GatewayError, MethodNotAllowed, Unauthenticated


def error_headers(error: GatewayError) -> Headers:
    """The content type; ``Retry-After`` where it is known; how to do better; who failed, and what he said in headers."""
    headers: Headers = [JSON]
    if error.retry_after_s is not None:
        # Rounded up: a client that comes back a fraction early would be refused again.
        headers.append((b"retry-after", b"%d" % ceil(error.retry_after_s)))
    if isinstance(error, Unauthenticated):
        headers.append((b"www-authenticate", b'Bearer realm="gatewayz"'))
    if isinstance(error, MethodNotAllowed):
        headers.append((b"allow", ", ".join(error.allowed).encode()))
    if error.provider is not None:
        headers.append((b"x-gatewayz-provider", error.provider.encode()))
    headers.extend(error.headers)
    return headers
