"""A chat request as the gateway makes one."""

from __future__ import annotations

from gatewayz.providers.base import Payload
from gatewayz.providers.registry import Providers
from gatewayz.upstream import UpstreamRequest


def chat(
    providers: Providers,
    name: str,
    body: bytes = b"",
    stream: bool = False,
    *,
    traceparent: bytes | None = None,
    total_s: float | None = None,
) -> UpstreamRequest:
    provider = providers[name]
    key = providers.state(name).take_key("any", 0.0)
    timeouts = provider.timeouts(stream, total_s=total_s)
    return provider.request(
        Payload("/chat/completions", body, stream, "openai_chat"), timeouts, key, traceparent=traceparent
    )
