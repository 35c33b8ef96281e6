"""A chat request as the gateway makes one."""

from __future__ import annotations

from gatewayz.providers.base import Provider
from gatewayz.upstream import UpstreamRequest


def chat(
    provider: Provider,
    body: bytes = b"",
    stream: bool = False,
    *,
    traceparent: bytes | None = None,
    total_s: float | None = None,
) -> UpstreamRequest:
    key = provider.take_key("any", 0.0)
    return provider.request("/chat/completions", body, stream, key=key, traceparent=traceparent, total_s=total_s)
