"""What the upstream answers beyond its plain paths: providers of every wire, some that fail; and how the gateway gets there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.dialogue import PIECES, WIRES, Wire, events, reply

KEY_VARIABLE = "BENCH_PROVIDER_KEY"
MODELS: Mapping[Wire, str] = {
    "chat": "gpt-4o-mini",
    "responses": "gpt-4o-mini",
    "messages": "claude-sonnet-4-5",
    "gemini": "gemini-2.5-flash",
}
_WIRE_NAMES: Mapping[Wire, str] = {
    "chat": "openai_chat",
    "responses": "openai_responses",
    "messages": "anthropic_messages",
    "gemini": "gemini",
}
_PRICED_AS: Mapping[Wire, str] = {
    "chat": "openai",
    "responses": "openai",
    "messages": "anthropic",
    "gemini": "google",
}
PACE_MS = 25.0
PACED_PIECES = 40
"""Of a stream that takes its time: about a second."""
CUT_AFTER = 15
"""Events of a stream that breaks off."""

_OVERLOADED = json.dumps({"error": {"message": "Overloaded.", "type": "server_error", "code": "overloaded"}})
_REFUSED = json.dumps({"error": {"message": "No.", "type": "invalid_request_error", "code": "invalid_value"}})


class Script(msgspec.Struct, frozen=True):
    """How one path answers (``script`` in load/scripts.go)."""

    status: int = 200
    reply: str = ""
    events: tuple[str, ...] = ()
    pace_ms: float = 0
    cut: bool = False


def scripts() -> dict[str, Script]:
    """Path → answer. ``/wires``: at once and whole; ``/paced``: streams take their time; ``/cut``: streams break off;
    ``/broken``: 503, and ``/refusing``: 400, whatever is asked."""
    made: dict[str, Script] = {}
    for wire in WIRES:
        whole = reply(wire).decode()
        told = tuple(event.decode() for event in events(wire))
        paced = tuple(event.decode() for event in events(wire, PIECES[:PACED_PIECES]))
        for kind, script in (
            ("wires", Script(reply=whole, events=told)),
            ("paced", Script(reply=whole, events=paced, pace_ms=PACE_MS)),
            ("cut", Script(reply=whole, events=told[:CUT_AFTER], pace_ms=PACE_MS, cut=True)),
        ):
            if wire == "gemini":
                made[_gemini_path(kind, stream=False)] = msgspec.structs.replace(script, events=())
                made[_gemini_path(kind, stream=True)] = msgspec.structs.replace(script, reply="")
            else:
                made[_path(kind, wire)] = script
    made[_path("broken", "chat")] = Script(503, _OVERLOADED)
    made[_path("refusing", "chat")] = Script(400, _REFUSED)
    return made


def write_scripts(file: Path) -> Path:
    """The file that the upstream reads."""
    file.write_bytes(msgspec.json.encode(scripts()))
    return file


def provider_name(kind: str, wire: Wire) -> str:
    """What the gateway calls the provider that answers so."""
    return f"{kind}_{wire}"


def write_config(file: Path, upstream: str) -> Path:
    """A gatewayz.yaml that knows all of them."""
    kinds: list[tuple[str, Wire]] = [(kind, wire) for kind in ("wires", "paced", "cut") for wire in WIRES]
    kinds.append(("broken", "chat"))
    kinds.append(("refusing", "chat"))
    # JSON is YAML; the values are mixed by nature.
    entries: dict[str, Any] = {
        provider_name(kind, wire): {
            "base_url": f"http://{upstream}/{kind}/{'v1beta' if wire == 'gemini' else 'v1'}",
            "wires": [_WIRE_NAMES[wire]],
            "keys": [KEY_VARIABLE],
            "models": [MODELS[wire]],
            "list_models": False,
            "prices_as": _PRICED_AS[wire],
        }
        for kind, wire in kinds
    }
    file.write_text(json.dumps({"providers": entries}, indent=1))
    return file


def _path(kind: str, wire: Wire) -> str:
    ends: Mapping[Wire, str] = {"chat": "/chat/completions", "responses": "/responses", "messages": "/messages"}
    return f"/{kind}/v1{ends[wire]}"


def _gemini_path(kind: str, *, stream: bool) -> str:
    method = "streamGenerateContent?alt=sse" if stream else "generateContent"
    return f"/{kind}/v1beta/models/{MODELS['gemini']}:{method}"
