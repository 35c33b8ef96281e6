"""GET /v1/models and /v1/models/{model}: what this gateway serves, in OpenAI's list shape and in Anthropic's at once."""

from __future__ import annotations

from urllib.parse import unquote

import orjson

from gatewayz.attempts.context import CallContext
from gatewayz.dataplane.http import JSON, Exchange
from gatewayz.errors import NotFound
from gatewayz.providers.registry import Providers

PREFIX = "/v1/models/"
CREATED = 1_735_689_600
"""OpenAI's list requires a creation time; the catalogue has none, so every model gets the first second of 2025."""
CREATED_AT = "2025-01-01T00:00:00Z"
"""The same, in Anthropic's form."""
OWN = "gatewayz"
"""``owned_by`` of the operator's own names: aliases and groups."""


class Models:
    """The model list: groups first, then each provider's models. Made anew only when something in it has changed."""

    def __init__(self, providers: Providers) -> None:
        self._providers = providers
        self._generation: int | None = None
        self._list = b""
        self._by_id: dict[str, bytes] = {}

    async def list(self, exchange: Exchange, context: CallContext) -> None:
        self._bring_up_to_date()
        await exchange.answer(200, [JSON], self._list)

    async def retrieve(self, exchange: Exchange, context: CallContext) -> None:
        self._bring_up_to_date()
        raw: bytes = exchange.scope.get("raw_path") or exchange.scope["path"].encode()
        # Found by what precedes it, since the caller's path may differ from ours (paths.py).
        name = unquote(raw.decode("latin-1").partition("/models/")[2].strip("/"))
        body = self._by_id.get(name)
        if body is None:
            raise NotFound(f"The model '{name[:200]}' does not exist here.", code="model_not_found", param="model")
        await exchange.answer(200, [JSON], body)

    def _bring_up_to_date(self) -> None:
        providers = self._providers
        if self._generation == providers.generation:
            return
        self._generation = providers.generation
        owners = dict.fromkeys(providers.groups, OWN)
        plain: dict[str, str] = {}
        for provider in providers.values():
            for model in providers.state(provider.name).all_models():
                name = f"{provider.name}/{model}"
                owners.setdefault(name, provider.name)
                plain.setdefault(model, name)
        entries = {name: _entry(name, owner) for name, owner in owners.items()}
        self._list = b'{"object":"list","data":[' + b",".join(entries.values()) + b"]}"
        # A plain name finds the entry of the provider that would be called first, unless it is an entry itself.
        self._by_id = {**{model: entries[name] for model, name in plain.items()}, **entries}


def _entry(name: str, owner: str) -> bytes:
    openais = {"id": name, "object": "model", "created": CREATED, "owned_by": owner}
    return orjson.dumps({**openais, "type": "model", "display_name": name, "created_at": CREATED_AT})
