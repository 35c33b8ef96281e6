"""The one server that stands for all providers of the matrix: each under a path of its own, in its own words.

The model's name says which cell asks, and so what to answer; a conversation that holds results of tools gets what comes after
them.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast
from urllib.parse import unquote

import orjson

from gatewayz.wires.base import Wire
from tests.contract.matrix.chat_vendor import ChatVendor, CompletionsVendor, unrecognized
from tests.contract.matrix.gemini_vendor import GeminiVendor
from tests.contract.matrix.messages_vendor import MessagesVendor
from tests.contract.matrix.responses_vendor import ResponsesVendor
from tests.contract.matrix.scenario import CELL_OF_MODEL, CUT_AFTER, Cell, Json
from tests.contract.matrix.vendor import Refusal, Vendor

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
    """The server's address and what it was sent, by model."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.taken: dict[str, list[Taken]] = {}

    def url(self, wire: Wire) -> str:
        """Without the API's version, as Anthropic's and Google's clients want it."""
        return f"http://127.0.0.1:{self.port}/{wire}"

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
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            payload = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            _answer(self, upstream.take(self.path, headers, payload))

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    upstream = Upstream(int(server.server_address[1]))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield upstream
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _answer(to: BaseHTTPRequestHandler, taken: Taken) -> None:
    scenario, vendor = taken.cell.scenario, VENDORS[taken.wire]
    answer = scenario.after_tools if taken.after_tools and scenario.after_tools else scenario.answer
    if scenario.fault in ("error", "busy") or (scenario.fault == "broken" and not taken.streamed):
        return _refuse(to, vendor.refusal(scenario.fault))
    if scenario.medium and scenario.medium not in vendor.media:
        return _refuse(to, vendor.refusal("error"))
    if taken.wire == "openai_completions" and (unknown := {"tools", "reasoning_effort"} & taken.body.keys()):
        return _refuse(to, unrecognized(sorted(unknown)[-1]))
    if not taken.streamed:
        whole = orjson.dumps(vendor.whole(answer, taken.body, taken.model))
        to.send_response(200)
        to.send_header("content-type", "application/json")
        to.send_header("content-length", str(len(whole)))
        to.end_headers()
        if scenario.fault == "cut":
            to.wfile.write(whole[: len(whole) // 2])
            to.close_connection = True
            return None
        to.wfile.write(whole)
        return None
    events = vendor.events(answer, taken.body, taken.model)
    if scenario.fault is not None:
        last = max(
            at for at, event in enumerate(events) if answer.text[CUT_AFTER - 1].encode() in event and at < _end(events)
        )
        events = events[: last + 1]
    to.send_response(200)
    to.send_header("content-type", "text/event-stream; charset=utf-8")
    to.send_header("transfer-encoding", "chunked")
    to.end_headers()
    for event in events:
        to.wfile.write(b"%x\r\n%b\r\n" % (len(event), event))
    if scenario.fault == "broken":
        time.sleep(BREAK_AFTER_S)
        event = vendor.broken()
        to.wfile.write(b"%x\r\n%b\r\n" % (len(event), event))
    if scenario.fault == "cut":
        to.close_connection = True
        return None
    to.wfile.write(b"0\r\n\r\n")
    return None


def _end(events: list[bytes]) -> int:
    """Where what was said in parts is said again as a whole, if it is."""
    return next((at for at, event in enumerate(events) if b"response.output_text.done" in event), len(events))


def _refuse(to: BaseHTTPRequestHandler, refusal: Refusal) -> None:
    body = orjson.dumps(refusal.body)
    to.send_response(refusal.status)
    to.send_header("content-type", "application/json")
    to.send_header("content-length", str(len(body)))
    for name, value in refusal.headers.items():
        to.send_header(name, value)
    to.end_headers()
    to.wfile.write(body)
