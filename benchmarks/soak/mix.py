"""What a soak sends: every wire, whole and streamed, and everything that goes wrong every day; each with what must come of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from benchmarks.dialogue import PATHS, Wire, request_body, stream_end
from benchmarks.providers import MODELS, provider_name
from benchmarks.shapes import http_request

WRONG_KEY = "gz_" + "0" * 40


class Mixed(msgspec.Struct, frozen=True):
    """One kind of request (``mixed`` in load/soak.go)."""

    name: str
    requests: tuple[str, ...]
    weight: int
    """How many of a hundred."""
    end: str
    status: int = 200
    cut: bool = False
    leave_after: int = 0


class Kind(msgspec.Struct, frozen=True):
    """One kind of request before it is written down."""

    name: str
    weight: int
    caller: Wire
    provider: Wire
    source: str = "wires"
    """Kind of provider (scripts.py)."""
    stream: bool = False
    status: int = 200
    cut: bool = False
    leave_after: int = 0
    headers: Mapping[str, str] = {}
    key: str | None = None
    body: bytes | None = None


_FALLBACK = {"x-gatewayz-provider": f"{provider_name('broken', 'chat')}, {provider_name('wires', 'chat')}"}

KINDS: tuple[Kind, ...] = (
    Kind("chat", 10, "chat", "chat"),
    Kind("responses", 4, "responses", "responses"),
    Kind("messages", 4, "messages", "messages"),
    Kind("chat → messages", 5, "chat", "messages"),
    Kind("chat → gemini", 4, "chat", "gemini"),
    Kind("chat → responses", 3, "chat", "responses"),
    Kind("responses → chat", 4, "responses", "chat"),
    Kind("messages → chat", 4, "messages", "chat"),
    Kind("messages → gemini", 2, "messages", "gemini"),
    Kind("fallback after 503", 3, "chat", "chat", headers=_FALLBACK),
    Kind("provider down: 503", 2, "chat", "chat", "broken", status=503),
    Kind("refused by the provider: 400", 2, "chat", "chat", "refusing", status=400),
    Kind("wrong key: 401", 2, "chat", "chat", status=401, key=WRONG_KEY),
    Kind("not JSON: 400", 1, "chat", "chat", status=400, body=b'{"model": "gpt-4o-mini", "messages": ['),
    Kind("chat, streamed", 13, "chat", "chat", "paced", stream=True),
    Kind("responses, streamed", 4, "responses", "responses", "paced", stream=True),
    Kind("messages, streamed", 5, "messages", "messages", "paced", stream=True),
    Kind("chat → messages, streamed", 5, "chat", "messages", "paced", stream=True),
    Kind("chat → gemini, streamed", 4, "chat", "gemini", "paced", stream=True),
    Kind("responses → chat, streamed", 4, "responses", "chat", "paced", stream=True),
    Kind("messages → chat, streamed", 4, "messages", "chat", "paced", stream=True),
    Kind("messages → gemini, streamed", 2, "messages", "gemini", "paced", stream=True),
    Kind("cut by the provider", 2, "chat", "chat", "cut", stream=True, cut=True),
    Kind("cut by the provider, translated", 2, "messages", "gemini", "cut", stream=True, cut=True),
    Kind("caller leaves", 3, "chat", "chat", "paced", stream=True, leave_after=5),
    Kind("caller leaves, translated", 2, "chat", "messages", "paced", stream=True, leave_after=5),
)


def write_mix(directory: Path, keys: Sequence[str]) -> Path:
    """The plan for the load generator: a request of each kind for each of the gateway's keys."""
    mixed: list[Mixed] = []
    for number, kind in enumerate(KINDS):
        files: list[str] = []
        model = f"{provider_name(kind.source, kind.provider)}/{MODELS[kind.provider]}"
        if kind.headers:
            model = MODELS[kind.provider]  # the header names the providers
        body = kind.body or request_body(kind.caller, model, stream=kind.stream)
        for place, key in enumerate([kind.key] if kind.key else keys):
            file = directory / f"mix-{number}-{place}.http"
            file.write_bytes(http_request(PATHS[kind.caller], body, key, kind.headers))
            files.append(str(file))
        end = stream_end(kind.caller)
        mixed.append(Mixed(kind.name, tuple(files), kind.weight, end, kind.status, kind.cut, kind.leave_after))
    plan = directory / "mix.json"
    plan.write_bytes(msgspec.json.encode(mixed))
    return plan
