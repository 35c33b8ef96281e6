"""The scripts of all providers of the matrix, at one server: each under a path of its own, in its own words.

The model's name says which cell asks, and so what to answer; a conversation that holds results of tools gets what comes after
them.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast
from urllib.parse import unquote

import orjson

from gatewayz.wires.base import Wire
from tests.contract.matrix.chat_vendor import ChatVendor, CompletionsVendor, unrecognized
from tests.contract.matrix.gemini_vendor import GeminiVendor
from tests.contract.matrix.messages_vendor import MessagesVendor
from tests.contract.matrix.responses_vendor import ResponsesVendor
from tests.contract.matrix.scenario import CELL_OF_MODEL, CUT_AFTER, Answer, Cell, Json
from tests.contract.matrix.vendor import Refusal, Vendor
from tests.fakes.provider.exchange import Cut, Exchange, Script, head_of
from tests.fakes.provider.server import FakeLLM, Received

VENDORS: Mapping[Wire, Vendor] = {
    vendor.wire: vendor
    for vendor in (ChatVendor(), CompletionsVendor(), ResponsesVendor(), MessagesVendor(), GeminiVendor())
}
BREAK_AFTER_S = 0.05
"""So that what was said before is most likely on its way to the caller already. Where it is not, the gateway answers with a
plain error, which the test takes for as good."""
_PATHS: Mapping[Wire, str] = {
    "openai_chat": "/chat/completions",
    "openai_completions": "/completions",
    "openai_responses": "/responses",
    "anthropic_messages": "/messages",
}
_GEMINI_PATH = re.compile(r"/models/([^:]+):(generateContent|streamGenerateContent\?alt=sse)")
_OF_A_RESULT = (b'"role":"tool"', b'"function_call_output"', b'"tool_result"', b'"functionResponse"')


@dataclass(frozen=True, slots=True)
class Taken:
    """One request as it arrived."""

    wire: Wire
    model: str
    cell: Cell
    path: str
    headers: Mapping[str, str]
    body: Json
    after_tools: bool

    @property
    def streamed(self) -> bool:
        return bool(self.body.get("stream")) or "stream" in self.path


class Upstream:
    """The providers' scripts, and what they were sent, by model."""

    def __init__(self) -> None:
        self.address = ""
        self.taken: dict[str, list[Taken]] = {}

    def url(self, wire: Wire) -> str:
        """Without the API's version, as Anthropic's and Google's clients want it."""
        return f"{self.address}/{wire}"

    def script(self, received: Received, _: str) -> Script:
        taken = self.take(received.path, received.headers, received.body)
        return lambda exchange: _answer(exchange, taken)

    def take(self, path: str, headers: Mapping[str, str], payload: bytes) -> Taken:
        _, wire, _, *rest = path.split("/")
        body: Json = orjson.loads(payload)
        assert wire in VENDORS, path
        spoken = cast("Wire", wire)
        if wire == "gemini":
            found = _GEMINI_PATH.fullmatch("/" + "/".join(rest))
            assert found is not None, path
            model = unquote(found[1])
        else:
            assert "/" + "/".join(rest) == _PATHS[spoken], path
            model = body["model"]
        compact = orjson.dumps(body)
        after = any(mark in compact for mark in _OF_A_RESULT)
        taken = Taken(spoken, model, CELL_OF_MODEL[model], path, headers, body, after)
        self.taken.setdefault(model, []).append(taken)
        return taken


@contextmanager
def scripted_upstream() -> Generator[Upstream]:
    upstream = Upstream()
    with FakeLLM.in_thread(scripts=upstream.script) as fake:
        upstream.address = fake.address
        yield upstream


async def _answer(exchange: Exchange, taken: Taken) -> None:
    scenario, vendor = taken.cell.scenario, VENDORS[taken.wire]
    answer = scenario.after_tools if taken.after_tools and scenario.after_tools else scenario.answer
    if scenario.fault in ("error", "busy") or (scenario.fault == "broken" and not taken.streamed):
        await _refuse(exchange, vendor.refusal(scenario.fault))
    elif scenario.medium and scenario.medium not in vendor.media:
        await _refuse(exchange, vendor.refusal("error"))
    elif taken.wire == "openai_completions" and (unknown := {"tools", "reasoning_effort"} & taken.body.keys()):
        await _refuse(exchange, unrecognized(sorted(unknown)[-1]))
    elif taken.streamed:
        await _stream(exchange, taken, answer)
    else:
        whole = orjson.dumps(vendor.whole(answer, taken.body, taken.model))
        if scenario.fault == "cut":
            head = head_of(200, {"content-type": "application/json", "content-length": str(len(whole))})
            await exchange.send(head + whole[: len(whole) // 2])
            raise Cut
        await exchange.answer(200, whole)


async def _stream(exchange: Exchange, taken: Taken, answer: Answer) -> None:
    vendor, fault = VENDORS[taken.wire], taken.cell.scenario.fault
    events = vendor.events(answer, taken.body, taken.model)
    if fault is not None:
        last = max(
            at for at, event in enumerate(events) if answer.text[CUT_AFTER - 1].encode() in event and at < _end(events)
        )
        events = events[: last + 1]
    await exchange.start_stream()
    for event in events:
        await exchange.chunk(event)
    if fault == "broken":
        await asyncio.sleep(BREAK_AFTER_S)
        await exchange.chunk(vendor.broken())
    if fault == "cut":
        raise Cut
    await exchange.end_stream()


def _end(events: list[bytes]) -> int:
    """Where what was said in parts is said again as a whole, if it is."""
    return next((at for at, event in enumerate(events) if b"response.output_text.done" in event), len(events))


async def _refuse(exchange: Exchange, refusal: Refusal) -> None:
    await exchange.answer(refusal.status, orjson.dumps(refusal.body), **refusal.headers)
