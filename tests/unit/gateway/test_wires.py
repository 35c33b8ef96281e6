"""Callers of every wire, with a provider that speaks chat: translated, retried and broken off like any other call."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from gatewayz.wires.base import CallerWire, Wire
from gatewayz.wires.embeddings.openai import EmbeddingsCaller
from gatewayz.wires.translate import CALLER_WIRES
from tests.unit.gateway.conftest import Rig, Rigs
from tests.unit.wires.ways import error_body

HELLO = [{"role": "user", "content": "Hello"}]
BODIES: dict[Wire, dict[str, Any]] = {
    "openai_chat": {"messages": HELLO},
    "openai_completions": {"prompt": "Hello"},
    "openai_responses": {"input": "Hello"},
    "anthropic_messages": {"messages": HELLO, "max_tokens": 100},
}
LAST_WORDS: dict[Wire, bytes] = {
    "openai_chat": b"[DONE]",
    "openai_completions": b"[DONE]",
    "openai_responses": b"response.completed",
    "anthropic_messages": b"message_stop",
}

each_wire = pytest.mark.parametrize("wire", list(CALLER_WIRES.values()), ids=list(CALLER_WIRES))


@each_wire
@pytest.mark.parametrize("stream", [False, True])
async def test_call_on_any_wire_falls_back_and_is_answered_on_it(rig: Rig, wire: CallerWire, stream: bool) -> None:
    result = await rig.ask(
        "nvidia/503", caller=wire, fields=BODIES[wire.name], models=["groq/ok-7-tokens"], stream=stream
    )

    assert result.provider == "groq"
    assert b"word6" in result.body
    sent = rig.fakes["groq"].requests[-1].json
    assert sent["model"] == "ok-7-tokens"
    assert "models" not in sent
    if stream:
        assert LAST_WORDS[wire.name] in result.body
    else:
        orjson.loads(result.body)
    assert rig.attempts(result) == [("nvidia", "first", "provider_overloaded"), ("groq", "fallback", None)]


@each_wire
async def test_broken_stream_never_looks_finished_on_any_wire(rig: Rig, wire: CallerWire) -> None:
    result = await rig.ask("nvidia/cut-after-3", caller=wire, fields=BODIES[wire.name], stream=True)

    assert b"word2" in result.body
    assert b"error" in result.body.rstrip().rsplit(b"\n\n", 1)[-1]
    assert LAST_WORDS[wire.name] not in result.body
    ((_, _, error_type),) = rig.attempts(result)
    assert error_type == "provider_stream_cut"


@each_wire
async def test_provider_error_about_a_bad_request_is_forwarded_in_the_callers_format(
    rig: Rig, wire: CallerWire
) -> None:
    result = await rig.ask("nvidia/400-context", caller=wire, fields=BODIES[wire.name])

    assert result.refused.status == 400
    told = orjson.loads(error_body(wire.name, result.refused))
    assert "maximum context length is 8 tokens" in told["error"]["message"]


async def test_candidate_whose_wire_cannot_express_the_call_is_skipped(rigs: Rigs) -> None:
    rig = await rigs(environment={"ANTHROPIC_API_KEY": "sk-canary", "ANTHROPIC_BASE_URL": "http://127.0.0.1:9/v1"})

    result = await rig.ask("anthropic/claude-x", models=["groq/ok"], n=2)  # of which Anthropic gives one

    assert result.provider == "groq"
    assert rig.attempts(result) == [("groq", "first", None)]
    refused = (await rig.ask("anthropic/claude-x", n=2)).refused
    assert (refused.status, refused.param) == (400, "n")


async def test_embeddings_of_a_provider_without_them_are_rejected_with_its_name(rig: Rig) -> None:
    refused = (await rig.ask("groq/any", caller=EmbeddingsCaller(), fields={"input": "Hello"})).refused

    assert refused.status == 400
    assert "groq" in refused.message
