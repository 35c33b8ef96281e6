"""GET /v1/models and /v1/models/{model}: what this gateway serves, in OpenAI's list shape."""

from __future__ import annotations

from urllib.parse import unquote

import orjson

from gatewayz.dataplane.endpoint import Served
from gatewayz.dataplane.http import JSON, Exchange
from gatewayz.errors import NotFound
from gatewayz.providers.base import Providers
from gatewayz.telemetry.requests import RequestTelemetry

PREFIX = "/v1/models/"
CREATED = 1_735_689_600
"""OpenAI's list wants a creation time; the catalogue knows none, so every model says the first second of 2025."""


class Models:
    """The model list, made once: the catalogue does not change while the process runs."""

    def __init__(self, providers: Providers) -> None:
        entries = {
            f"{provider.name}/{model}": {
                "id": f"{provider.name}/{model}",
                "object": "model",
                "created": CREATED,
                "owned_by": provider.name,
            }
            for provider in providers.values()
            for model in provider.models
        }
        self._list = orjson.dumps({"object": "list", "data": list(entries.values())})
        self._by_id = {name: orjson.dumps(entry) for name, entry in entries.items()}
        for provider in providers.values():
            for model in provider.models:
                self._by_id.setdefault(model, self._by_id[f"{provider.name}/{model}"])

    async def list(self, exchange: Exchange, served: Served, telemetry: RequestTelemetry) -> None:
        await exchange.answer(200, [JSON], self._list)

    async def retrieve(self, exchange: Exchange, served: Served, telemetry: RequestTelemetry) -> None:
        raw: bytes = exchange.scope.get("raw_path") or exchange.scope["path"].encode()
        name = unquote(raw.decode("latin-1").removeprefix(PREFIX))
        body = self._by_id.get(name)
        if body is None:
            raise NotFound(f"The model '{name[:200]}' does not exist here.", code="model_not_found", param="model")
        await exchange.answer(200, [JSON], body)
