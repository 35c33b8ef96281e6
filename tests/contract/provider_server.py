"""A provider on a real socket that speaks as many wires as it is told to, and keeps what arrived: for tests of what is sent
where, with which headers. It answers well; tests/upstream.py is the one that fails."""

from __future__ import annotations

import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson

CHAT, COMPLETIONS, RESPONSES, MESSAGES = "/chat/completions", "/completions", "/responses", "/messages"
EMBEDDINGS, COUNT = "/embeddings", "/messages/count_tokens"
EVERY_PATH = (CHAT, COMPLETIONS, RESPONSES, MESSAGES, EMBEDDINGS, COUNT)

HEADERS = {
    "set-cookie": "session=secret",
    "openai-organization": "org-secret",
    "openai-project": "proj-secret",
    "anthropic-organization-id": "org-secret",
    "openai-processing-ms": "17",
    "x-ratelimit-remaining-tokens": "41",
    "anthropic-ratelimit-requests-remaining": "42",
    "request-id": "req_theirs",
    "server": "secret/1.0",
    "cf-ray": "secret",
}
NONE: list[Any] = []
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


@dataclass(frozen=True, slots=True)
class Arrived:
    """One request; header names are lower-case."""

    path: str
    headers: Mapping[str, str]
    json: Any


@dataclass
class ProviderServer:
    """``paths``: the endpoints that are there, below ``root``; any other is answered ``missing``."""

    name: str
    url: str = ""
    root: str = "/v1"
    paths: tuple[str, ...] = EVERY_PATH
    missing: tuple[int, bytes] = (404, b'{"error":{"message":"Not Found","type":"invalid_request_error"}}')
    status: int = 200
    arrived: list[Arrived] = field(default_factory=list[Arrived])

    def answer(self, arrived: Arrived) -> tuple[int, bytes]:
        self.arrived.append(arrived)
        if self.status != 200:
            error = {"type": "overloaded_error", "message": "Not now."}
            return self.status, orjson.dumps({"type": "error", "error": error})
        path = arrived.path.removeprefix(self.root)
        if not arrived.path.startswith(self.root) or path not in self.paths:
            return self.missing
        return 200, orjson.dumps(self._body(path, arrived.json["model"]))

    def _body(self, path: str, model: str) -> Any:
        said = f"{self.name} says hello"
        match path:
            case "/chat/completions":
                choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
                return {
                    "id": "c1", "object": "chat.completion", "created": 1, "model": model, "choices": [choice], "usage": USAGE,
                }  # fmt: skip
            case "/completions":
                choice = {"index": 0, "text": said, "finish_reason": "stop", "logprobs": None}
                return {
                    "id": "t1", "object": "text_completion", "created": 1, "model": model, "choices": [choice], "usage": USAGE,
                }  # fmt: skip
            case "/responses":
                part = {"type": "output_text", "text": said, "annotations": NONE}
                message = {
                    "id": "m", "type": "message", "status": "completed", "role": "assistant", "content": [part],
                }  # fmt: skip
                usage = {
                    "input_tokens": 3, "output_tokens": 2, "total_tokens": 5,
                    "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0},
                }  # fmt: skip
                return {
                    "id": f"resp_{self.name}_{len(self.arrived)}", "object": "response", "created_at": 1, "model": model,
                    "status": "completed", "output": [message], "usage": usage, "parallel_tool_calls": True,
                    "tool_choice": "auto", "tools": NONE, "error": None, "incomplete_details": None,
                }  # fmt: skip
            case "/messages":
                return {
                    "id": "msg_1", "type": "message", "role": "assistant", "model": model, "stop_reason": "end_turn",
                    "content": [{"type": "text", "text": said}], "usage": {"input_tokens": 3, "output_tokens": 2},
                }  # fmt: skip
            case "/messages/count_tokens":
                return {"input_tokens": 7}
            case _:
                data = [{"object": "embedding", "index": 0, "embedding": [1.0, 0.0]}]
                return {"object": "list", "data": data, "model": model, "usage": USAGE}


@contextmanager
def provider_server(name: str, **members: Any) -> Generator[ProviderServer]:
    """One that runs in a thread until the block ends."""
    fake = ProviderServer(name, **members)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {key.lower(): value for key, value in self.headers.items()}
            status, answer = fake.answer(Arrived(self.path, headers, orjson.loads(body)))
            self.send_response_only(status)
            for key, value in {**HEADERS, "content-type": "application/json", "content-length": len(answer)}.items():
                self.send_header(key, str(value))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    fake.url = f"http://127.0.0.1:{server.server_address[1]}{fake.root}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
