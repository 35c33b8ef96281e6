"""Which of a provider's headers go back to the caller? Few, whether it answered or refused.

Cookies, and the names of our own organisation and account, stay here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

_RETURNED = ("retry-after", "openai-processing-ms")
_RETURNED_PREFIXES = ("x-ratelimit-", "anthropic-ratelimit-")
_PROVIDER_REQUEST_ID_NAMES = ("x-request-id", "request-id")

RETRY_AFTER = b"retry-after"
PROVIDER = b"x-gatewayz-provider"
"""The provider that answered."""
PROVIDER_REQUEST_ID = b"x-gatewayz-provider-request-id"
"""The provider's own id of the request, for a question to its support: under its usual name ours goes to the caller."""


def answer_headers(headers: Mapping[str, str], provider: str) -> list[tuple[bytes, bytes]]:
    """With an answer: how much is left of the rate limits and when to come back, how long the provider took, its id of the
    request, and which provider it was.

    The content type is not among them: what the gateway sends is JSON or an event stream, checked, whatever the provider
    called it.
    """
    returned = list(_returned(headers))
    returned.append((PROVIDER, provider.encode()))
    return returned


def refusal_headers(headers: Mapping[str, str]) -> tuple[tuple[bytes, bytes], ...]:
    """With a refusal. Retry-After is not among them: the gateway words its own, since it may have asked several providers."""
    return tuple([pair for pair in _returned(headers) if pair[0] != RETRY_AFTER])


def _returned(headers: Mapping[str, str]) -> Iterator[tuple[bytes, bytes]]:
    for name, value in headers.items():
        if (returned := _returned_name(name)) is not None:
            yield returned, value.encode("latin-1", "replace")


@lru_cache(maxsize=512)  # providers send the same names with every answer
def _returned_name(name: str) -> bytes | None:
    lower = name.lower()
    if lower in _PROVIDER_REQUEST_ID_NAMES:
        return PROVIDER_REQUEST_ID
    return lower.encode("ascii", "replace") if lower in _RETURNED or lower.startswith(_RETURNED_PREFIXES) else None
