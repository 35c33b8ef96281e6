"""``/``: what this is and where to look, for whoever opens the address in a browser."""

from __future__ import annotations

from fastapi import FastAPI
from pydantic import BaseModel

from gatewayz import __version__


class Index(BaseModel):
    """The answer of ``GET /``."""

    name: str
    version: str
    about: str
    links: dict[str, str]


def add_index_routes(app: FastAPI) -> None:
    @app.get("/", tags=["index"])
    @app.head("/", include_in_schema=False)
    async def index() -> Index:
        """What there is."""
        return Index(
            name="GatewayZ",
            version=__version__,
            about="An LLM gateway: point an OpenAI client's base URL at /v1.",
            links={
                "chat": "/v1/chat/completions",
                "models": "/v1/models",
                "health": "/health",
                "metrics": "/metrics",
                "openapi": "/openapi.json",
            },
        )
