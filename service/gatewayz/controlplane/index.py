"""``/``: what this is and where to look, for people who open the address in a browser."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from gatewayz import __version__

LINKS = {
    "chat": "/v1/chat/completions",
    "models": "/v1/models",
    "health": "/health",
    "metrics": "/metrics",
    "openapi": "/openapi.json",
}
ABOUT = "An LLM gateway: point an OpenAI client's base URL at /v1."

router = APIRouter(tags=["index"])


class Index(BaseModel):
    """The answer of ``GET /``."""

    name: str = Field(examples=["GatewayZ"])
    version: str = Field(examples=[__version__])
    about: str = Field(examples=[ABOUT])
    links: dict[str, str] = Field(examples=[LINKS])


@router.get("/")
@router.head("/", include_in_schema=False)
async def index() -> Index:
    """What there is."""
    return Index(name="GatewayZ", version=__version__, about=ABOUT, links=LINKS)
