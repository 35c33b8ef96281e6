"""Answers played to the vendors' own clients, which say what they understood."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import anthropic
import orjson
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from gatewayz.records import Call
from gatewayz.wires.anthropic_messages.wire import MessagesCaller
from gatewayz.wires.base import AnswerInfo
from gatewayz.wires.sse import DONE, EventSplitter, data_of, event_of
from gatewayz.wires.translate import AnswerTranslation

ASKED: dict[str, Any] = {
    "model": "claude-sonnet-5",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "hi"}],
}


def shape(*, stream: bool = True, include_usage: bool = True) -> AnswerInfo:
    return AnswerInfo("req_0123", "claude-sonnet-5", 1_700_000_000, stream, include_usage)


def call(**members: Any) -> Call:
    return MessagesCaller().parse(orjson.dumps({**ASKED, **members}))


def named_event(kind: str, **members: Any) -> bytes:
    """An event as Anthropic sends it."""
    return b"event: " + kind.encode() + b"\ndata: " + orjson.dumps({"type": kind, **members}) + b"\n\n"


def chunk(delta: dict[str, Any], finish_reason: str | None = None, **more: Any) -> bytes:
    """An event as OpenAI sends it."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, **more}
    return event_of(orjson.dumps({"id": "c", "model": "m", "object": "chat.completion.chunk", "choices": [choice]}))


def translated(translation: AnswerTranslation, stream: bytes, *, slice_bytes: int | None = None) -> bytes:
    """What a whole stream becomes, however it is cut on its way."""
    splitter = EventSplitter()
    step = slice_bytes or len(stream)
    out: list[bytes] = []
    for start in range(0, len(stream), step):
        out.extend(translation.event(event) for event in splitter.feed(stream[start : start + step]))
    return b"".join([*out, translation.end()])


def kinds(stream: bytes) -> list[str]:
    """The types of a Messages stream's events, each of which must be named alike in its ``event`` line."""
    found: list[str] = []
    for event in EventSplitter().feed(stream):
        said = orjson.loads(data_of(event))
        assert event.startswith(b"event: " + said["type"].encode() + b"\n")
        found.append(said["type"])
    return found


def as_completion(stream: bytes) -> ChatCompletion:
    """What OpenAI's client makes of a chat stream; it has to end in [DONE]."""
    events = [data_of(event) for event in EventSplitter().feed(stream)]
    assert events[-1] == DONE
    assert DONE not in events[:-1]
    state = ChatCompletionStreamState()
    for data in events[:-1]:
        state.handle_chunk(ChatCompletionChunk.model_validate_json(data))
    return state.current_completion_snapshot


@dataclass
class Play:
    """What the next request gets, and what it was."""

    body: bytes = b""
    status: int = 200
    media_type: str = "application/json"
    received: list[Any] = field(default_factory=list[Any])
    paths: list[str] = field(default_factory=list[str])


@contextmanager
def anthropic_client(play: Play) -> Generator[anthropic.Anthropic]:
    """Anthropic's client, and a server on a real socket that plays to it."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            play.received.append(orjson.loads(self.rfile.read(int(self.headers["content-length"]))))
            play.paths.append(self.path)
            self.send_response(play.status)
            self.send_header("content-type", play.media_type)
            self.send_header("content-length", str(len(play.body)))
            self.end_headers()
            self.wfile.write(play.body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            url = f"http://127.0.0.1:{server.server_address[1]}"
            with anthropic.Anthropic(api_key="gz_test", base_url=url, max_retries=0) as client:
                yield client
        finally:
            server.shutdown()
            thread.join()


def as_message(stream: bytes) -> anthropic.types.Message:
    """What Anthropic's client accumulates from a Messages stream."""
    play = Play(stream, media_type="text/event-stream")
    with anthropic_client(play) as client, client.messages.stream(**ASKED) as played:
        return played.get_final_message()
