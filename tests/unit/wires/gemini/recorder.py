"""A server that stands for Gemini: it keeps what it is sent and answers what it is told to."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson

from tests.unit.wires.gemini.answers import PLAIN, Json, joined, whole


class Recorder:
    """The last request; ``answer`` and ``status`` are for the next one. A whole answer goes out as JSON, unless the
    request was for a stream."""

    def __init__(self) -> None:
        self.path = ""
        self.headers: dict[str, str] = {}
        self.body: Json = {}
        self.status = 200
        self.answer = whole(joined(PLAIN))
        self.url = ""


@contextmanager
def recording() -> Generator[Recorder]:
    recorder = Recorder()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            recorder.path = self.path
            recorder.headers = {name.lower(): value for name, value in self.headers.items()}
            recorder.body = orjson.loads(self.rfile.read(int(self.headers["content-length"])))
            streamed = "alt=sse" in self.path and recorder.status == 200
            self.send_response(recorder.status)
            self.send_header("content-type", "text/event-stream" if streamed else "application/json")
            self.send_header("content-length", str(len(recorder.answer)))
            self.end_headers()
            self.wfile.write(recorder.answer)

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    recorder.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield recorder
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
