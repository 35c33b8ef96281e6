"""How the gateway calls a provider over HTTP: the port (port.py), and behind it aiohttp's connector and parser (client.py).

Nothing outside this package knows which library is used, so that an own connection pool can take its place.
"""

from __future__ import annotations

from gatewayz.upstream.client import AiohttpUpstream
from gatewayz.upstream.port import Headers, Timeouts, Upstream, UpstreamRequest, UpstreamResponse

__all__ = ["AiohttpUpstream", "Headers", "Timeouts", "Upstream", "UpstreamRequest", "UpstreamResponse"]
