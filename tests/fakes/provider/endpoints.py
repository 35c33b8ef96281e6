"""A provider that is well, at every endpoint of every wire of OpenAI's and Anthropic's: for tests of what is sent where, with
which headers.

    with well_provider("acme", paths=(CHAT,)) as acme:
        acme.url, acme.last.headers, acme.requests
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from tests.fakes.provider.server import FakeLLM, Received

if TYPE_CHECKING:
    from tests.fakes.provider.exchange import Exchange, Script

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
"""Of every answer, whatever its status."""
NOT_FOUND = (404, b'{"error":{"message":"Not Found","type":"invalid_request_error"}}')
NONE: list[Any] = []
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


@dataclass
class EndpointScripts:
    """``paths``: the endpoints that are there, below /v1; any other is answered ``missing``. ``status``: what all answer."""

    name: str
    paths: tuple[str, ...] = EVERY_PATH
    missing: tuple[int, bytes] = NOT_FOUND
    status: int = 200
    answered: int = 0

    def script(self, received: Received, _: str) -> Script:
        status, body = self._answer(received)
        head = [f"HTTP/1.1 {status} Scripted", *(f"{name}: {value}" for name, value in HEADERS.items())]
        head += ["content-type: application/json", f"content-length: {len(body)}", "", ""]

        async def answer(exchange: Exchange) -> None:
            await exchange.send("\r\n".join(head).encode() + body)

        return answer

    def _answer(self, received: Received) -> tuple[int, bytes]:
        self.answered += 1
        if self.status != 200:
            error = {"type": "overloaded_error", "message": "Not now."}
            return self.status, orjson.dumps({"type": "error", "error": error})
        path = received.path.removeprefix("/v1")
        if not received.path.startswith("/v1") or path not in self.paths:
            return self.missing
        return 200, orjson.dumps(self._body(path, received.model))

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
                    "id": f"resp_{self.name}_{self.answered}", "object": "response", "created_at": 1, "model": model,
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


@dataclass
class WellProvider:
    """The server and the scripts that it follows; both may be changed and asked while it runs."""

    fake: FakeLLM
    scripts: EndpointScripts

    @property
    def url(self) -> str:
        return self.fake.base_url

    @property
    def requests(self) -> list[Received]:
        return self.fake.requests

    @property
    def last(self) -> Received:
        return self.fake.last

    @property
    def paths(self) -> list[str]:
        """Of every request, below /v1."""
        return [one.path.removeprefix("/v1") for one in self.fake.requests]

    def forget(self) -> None:
        """All that was asked, and that it should fail."""
        self.fake.requests.clear()
        self.scripts.status = 200


@contextmanager
def well_provider(name: str, *, paths: tuple[str, ...] = EVERY_PATH) -> Generator[WellProvider]:
    """One that runs in a thread until the block ends."""
    scripts = EndpointScripts(name, paths)
    with FakeLLM.in_thread(scripts=scripts.script) as fake:
        yield WellProvider(fake, scripts)
