"""Streams that a provider breaks off, leaves hanging or ends in an error, and providers that do not count: on every provider
wire, for callers of the same wire and of another, the attempt is charged for what has come."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import httpx
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from gatewayz.wires.token_estimate import request_tokens
from tests.fakes.clients import post
from tests.fakes.gateway import LiveGateway, running_gateway
from tests.fakes.otlp import HttpSink, attributes
from tests.fakes.provider.exchange import Cut, Exchange, Script, whole
from tests.fakes.provider.scripts import FOREVER_S
from tests.fakes.provider.server import FakeLLM, Received
from tests.polling import eventually

Ending = Literal["cut", "stall", "error", "whole", "unary"]
Wire = Literal["chat", "responses", "messages", "gemini"]
Json = dict[str, Any]
PACKET_S = 0.2
"""A pause after which what follows arrives as a packet of its own: an error that comes with the first event is one in time."""
WORDS = [f"word{number} " for number in range(12)]


def chat(ending: Ending) -> list[Json]:
    def chunk(delta: Json, reason: str | None = None) -> Json:
        return {"id": "c", "model": "m", "object": "chat.completion.chunk", "created": 1,
                "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}  # fmt: skip

    said = [chunk({"role": "assistant", "content": ""}), *(chunk({"content": word}) for word in WORDS)]
    if ending == "error":
        return [*said, {"error": {"message": "slow down", "code": "rate_limit_exceeded"}}]
    return [*said, chunk({}, "stop")] if ending == "whole" else said


def responses(ending: Ending) -> list[Json]:
    made: Json = {"id": "r", "object": "response", "created_at": 1, "model": "m", "status": "in_progress", "output": []}
    item: Json = {"id": "i", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
    place: Json = {"item_id": "i", "output_index": 0, "content_index": 0}
    part: Json = {"type": "output_text", "text": "", "annotations": []}
    said: list[Json] = [
        {"type": "response.created", "response": made},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.content_part.added", **place, "part": part},
        *({"type": "response.output_text.delta", **place, "delta": word} for word in WORDS),
    ]
    if ending == "error":
        said.append({"type": "error", "code": "rate_limit_exceeded", "message": "slow down", "param": None})
    if ending == "whole":
        said.append({"type": "response.completed", "response": {**made, "status": "completed"}})
    return [{**one, "sequence_number": number} for number, one in enumerate(said)]


def messages(ending: Ending) -> list[Json]:
    message: Json = {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "stop_reason": None,
    }
    said: list[Json] = [
        {"type": "message_start", "message": {**message, "usage": {"input_tokens": 25, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}} for word in WORDS),
    ]
    if ending == "error":
        said.append({"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}})
    if ending == "whole":
        said.append({"type": "content_block_stop", "index": 0})
        said.append({"type": "message_delta", "delta": {"stop_reason": "end_turn"}})
        said.append({"type": "message_stop"})
    return said


def gemini(ending: Ending) -> list[Json]:
    """Gemini counts with every event; the last two come without, as from those who only count at the end."""
    said: list[Json] = []
    for number, word in enumerate(WORDS):
        one: Json = {"candidates": [{"index": 0, "content": {"role": "model", "parts": [{"text": word}]}}]}
        if number < len(WORDS) - 2:
            one["usageMetadata"] = {"promptTokenCount": 25, "candidatesTokenCount": number + 1}
        said.append({**one, "responseId": "g", "modelVersion": "m"})
    if ending == "error":
        said.append({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "slow down"}})
    if ending == "whole":
        said.append({"candidates": [{"index": 0, "finishReason": "STOP"}]})
    return said


EVENTS = {"chat": chat, "responses": responses, "messages": messages, "gemini": gemini}

TEXT = "".join(WORDS)
WHOLE: dict[Wire, Json] = {
    "chat": {"id": "c", "object": "chat.completion", "created": 1, "model": "m",
             "choices": [{"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}]},
    "responses": {"id": "r", "object": "response", "created_at": 1, "model": "m", "status": "completed", "output": [
        {"id": "i", "type": "message", "role": "assistant", "status": "completed",
         "content": [{"type": "output_text", "text": TEXT, "annotations": []}]}]},
    "messages": {"id": "m", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
                 "content": [{"type": "text", "text": TEXT}]},
    "gemini": {"candidates": [{"index": 0, "finishReason": "STOP", "content": {"role": "model", "parts": [{"text": TEXT}]}}],
               "responseId": "g", "modelVersion": "m"},
}  # fmt: skip


@dataclass
class NextAnswer:
    """What the provider does next: it speaks every wire, on whichever path."""

    wire: Wire = "chat"
    ending: Ending = "whole"

    def script(self, _: Received, __: str) -> Script:
        if self.ending == "unary":
            return whole(json.dumps(WHOLE[self.wire]).encode())
        return partial(_stream, events=EVENTS[self.wire](self.ending), ending=self.ending)


async def _stream(exchange: Exchange, events: list[Json], ending: Ending) -> None:
    await exchange.start_stream()
    for one in events:
        name = f"event: {one['type']}\n" if "type" in one else ""
        if ending == "error" and "error" in json.dumps(one):
            await asyncio.sleep(PACKET_S)
        await exchange.chunk(f"{name}data: {json.dumps(one)}\n\n".encode())
    if ending == "stall":
        await asyncio.sleep(FOREVER_S)
    if ending == "cut":
        raise Cut
    await exchange.end_stream()


@dataclass(frozen=True, slots=True)
class Stage:
    gateway: LiveGateway
    sink: HttpSink
    fake: FakeLLM
    next: NextAnswer

    def ask(self, caller: Wire, model: str, *, stream: bool) -> httpx.Response:
        path, asked = CALLS[caller]
        return post(
            f"{self.gateway.openai_url}{path}",
            json={"model": model, **asked, "stream": stream},
            headers={"authorization": f"Bearer {self.gateway.api_key}"},
        )

    def attempt(self, answer: httpx.Response) -> dict[str, Any]:
        def found() -> list[Span]:
            servers = [
                one
                for one in self.sink.received.spans
                if attributes(one.attributes).get("gatewayz.request.id") == answer.headers["x-request-id"]
            ]
            return [
                one
                for one in self.sink.received.spans
                if one.kind == Span.SPAN_KIND_CLIENT and servers and one.trace_id == servers[0].trace_id
            ]

        (span,) = eventually(found)
        return attributes(span.attributes)


PROMPT = "Say twelve words, please."
CALLS: dict[Wire, tuple[str, Json]] = {
    "chat": ("/chat/completions", {"messages": [{"role": "user", "content": PROMPT}]}),
    "responses": ("/responses", {"input": PROMPT}),
    "messages": ("/messages", {"max_tokens": 100, "messages": [{"role": "user", "content": PROMPT}]}),
}
CONFIG = """
providers:
  p_chat: {base_url: "$URL", wires: [openai_chat], keyless: true}
  p_responses: {base_url: "$URL", wires: [openai_responses], keyless: true}
  p_messages: {base_url: "$URL", wires: [anthropic_messages], keyless: true}
  p_gemini: {base_url: "$URL", wires: [gemini], keyless: true}
"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Generator[Stage]:
    upcoming = NextAnswer()
    with ExitStack() as stack:
        fake = stack.enter_context(FakeLLM.in_thread(scripts=upcoming.script))
        sink = HttpSink()
        stack.callback(sink.stop)
        place = tmp_path_factory.mktemp("partial")
        config = place / "gatewayz.yaml"
        config.write_text(CONFIG.replace("$URL", fake.base_url))
        environment = {
            "OTEL_BSP_SCHEDULE_DELAY": "50",
            "GATEWAYZ_CONFIG_FILE": str(config),
            "GATEWAYZ_IDLE_TIMEOUT_S": "0.5",
            "GATEWAYZ_BREAKER_FAILURES": "1000000",
            "GATEWAYZ_BREAKER_MIN_ATTEMPTS": "1000000",
            **sink.environment,
        }
        yield Stage(stack.enter_context(running_gateway(place, environment)), sink, fake, upcoming)


ERRORS = {
    "cut": "provider_stream_cut", "stall": "provider_idle_timeout", "error": "provider_rate_limited", "whole": None,
}  # fmt: skip


@pytest.mark.parametrize("caller", ["chat", "responses", "messages"])
@pytest.mark.parametrize("wire", ["chat", "responses", "messages", "gemini"])
@pytest.mark.parametrize("ending", ["cut", "stall", "error", "whole"])
def test_stream_without_usage_is_charged_for_what_was_streamed(
    stage: Stage, caller: Wire, wire: Wire, ending: Ending
) -> None:
    stage.next.wire, stage.next.ending = wire, ending
    told = stage.attempt(stage.ask(caller, f"p_{wire}/m", stream=True))

    assert told.get("error.type") == ERRORS[ending]
    assert told["gatewayz.usage.source"] == "estimate"
    assert abs(told["gen_ai.usage.output_tokens"] - len(WORDS)) <= 1
    counts_input = wire in ("messages", "gemini")
    assert told["gen_ai.usage.input_tokens"] == (25 if counts_input else request_tokens(stage.fake.last.body))
    assert told["gatewayz.cost.source"] == "unpriced"
    assert "gatewayz.usage.possibly_billed" not in told


@pytest.mark.parametrize("caller", ["chat", "responses", "messages"])
@pytest.mark.parametrize("wire", ["chat", "responses", "messages", "gemini"])
def test_whole_answer_without_usage_is_charged_by_estimate(stage: Stage, caller: Wire, wire: Wire) -> None:
    stage.next.wire, stage.next.ending = wire, "unary"
    told = stage.attempt(stage.ask(caller, f"p_{wire}/m", stream=False))

    assert told.get("error.type") is None
    assert told["gatewayz.usage.source"] == "estimate"
    assert told["gen_ai.usage.input_tokens"] == request_tokens(stage.fake.last.body)
    assert told["gen_ai.usage.output_tokens"] == -(-len(TEXT) // 4)
