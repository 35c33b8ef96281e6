"""A gateway with low limits, and connections on which a test sends exactly the bytes it wants to."""

from __future__ import annotations

import json
import socket
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.fakes.clients import get, post
from tests.fakes.gateway import LiveGateway, running_gateway
from tests.fakes.otlp import HttpSink, attributes
from tests.fakes.provider.server import FakeLLM
from tests.polling import eventually
from tests.raw_http import Reply, read_reply

HEADER_TIMEOUT_S = 1.0
BODY_TIMEOUT_S = 1.0
WRITE_TIMEOUT_S = 2.0
MAX_BODY_BYTES = 200_000


@dataclass(frozen=True, slots=True)
class Rig:
    """The gateway, the provider behind it and the receiver of its telemetry."""

    gateway: LiveGateway
    fake: FakeLLM
    sink: HttpSink

    def connect(self, *, receive_bytes: int | None = None, timeout_s: float = 30) -> socket.socket:
        host, port = self.gateway.url.removeprefix("http://").split(":")
        connection = socket.socket()
        if receive_bytes is not None:  # before the handshake, which announces the window
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        connection.settimeout(timeout_s)
        connection.connect((host, int(port)))
        return connection

    def head(self, *lines: str, path: str = "/v1/chat/completions", host: str | None = "Host: gateway") -> bytes:
        """A request's head, with a good key and one Host unless told otherwise."""
        first = [f"POST {path} HTTP/1.1", f"Authorization: Bearer {self.gateway.api_key}"]
        return "\r\n".join([*first, *([host] if host else []), *lines, "", ""]).encode("latin-1")

    def exchange(self, data: bytes) -> Reply:
        """Sends it, reads the answer, and sees the connection closed by the gateway."""
        with self.connect() as connection:
            connection.sendall(data)
            answer = read_reply(connection)
            assert ends(connection)
            return answer

    def is_well(self) -> None:
        """A healthy call is answered, by one call to the provider."""
        before = len(self.fake.requests)
        answer = self.ask("openai/ok-3-tokens")
        assert answer.status_code == 200
        assert len(self.fake.requests) == before + 1

    def ask(self, model: str, **members: Any) -> httpx.Response:
        body = {"model": model, "messages": [{"role": "user", "content": "Hello"}], **members}
        return self.post(json.dumps(body).encode())

    def post(self, body: bytes, path: str = "/v1/chat/completions", **headers: str) -> httpx.Response:
        sent = {"authorization": f"Bearer {self.gateway.api_key}", "content-type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return post(self.gateway.url + path, content=body, headers=sent)

    def server_spans(self) -> list[dict[str, Any]]:
        """Attributes of the requests' spans so far."""
        spans = [one for one in self.sink.received.spans if one.kind == Span.SPAN_KIND_SERVER]
        return [attributes(one.attributes) for one in spans]

    def span_of(self, request_id: str) -> dict[str, Any]:
        (one,) = eventually(
            lambda: [one for one in self.server_spans() if one.get("gatewayz.request.id") == request_id]
        )
        return one

    def closed(self, reason: str) -> float:
        """``gatewayz.connections.closed`` for that reason, as exposed."""
        text = get(f"{self.gateway.url}/metrics").text
        wanted = f'gatewayz_connections_closed_total{{reason="{reason}"}}'
        return next(float(line.split()[-1]) for line in text.splitlines() if line.startswith(wanted))

    def has_no_traceback(self) -> bool:
        text = self.gateway.log.read_text()
        return '"exception"' not in text and "Traceback" not in text


@contextmanager
def rig(directory: Path, **settings: str) -> Generator[Rig]:
    with ExitStack() as stack:
        fake = stack.enter_context(FakeLLM.in_thread())
        sink = HttpSink()
        stack.callback(sink.stop)
        environment = {
            "OPENAI_BASE_URL": fake.base_url,
            "OPENAI_API_KEY": "sk-scripted",
            "OTEL_BSP_SCHEDULE_DELAY": "50",
            "GATEWAYZ_HEADER_TIMEOUT_S": str(HEADER_TIMEOUT_S),
            "GATEWAYZ_BODY_TIMEOUT_S": str(BODY_TIMEOUT_S),
            "GATEWAYZ_WRITE_TIMEOUT_S": str(WRITE_TIMEOUT_S),
            "GATEWAYZ_MAX_BODY_BYTES": str(MAX_BODY_BYTES),
            **sink.environment,
            **settings,
        }
        yield Rig(stack.enter_context(running_gateway(directory, environment)), fake, sink)


def ends(connection: socket.socket) -> bool:
    """Whether the gateway closes the connection; what else it says before is read."""
    try:
        while connection.recv(65_536):
            pass
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False
    return True


def chat(model: str = "openai/ok-3-tokens", **members: Any) -> bytes:
    return json.dumps({"model": model, "messages": [{"role": "user", "content": "Hello"}], **members}).encode()
