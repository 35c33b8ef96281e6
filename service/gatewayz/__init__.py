"""GatewayZ: one endpoint in front of every LLM provider, with telemetry as a product."""

__version__ = "0.1.0"
