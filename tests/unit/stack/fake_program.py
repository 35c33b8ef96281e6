"""Every program of the stack in miniature, the gateway included: knows its name from argv[0], listens where the real one
would, answers 200 once ready, writes its starts and ends into ``journal`` beside it.

A file ``NAME.mode`` beside it makes it behave: ``die`` (complain and exit 3), ``stubborn`` (ignore TERM), ``never ready``.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

HERE = Path(sys.argv[0]).parent
NAME = Path(sys.argv[0]).name
VERSION_LINES = {"otelcol": "otelcol version 9.9.9", "prometheus": "prometheus, version 9.9.9 (branch: x)"}


def note(what: str) -> None:
    with (HERE / "journal").open("a") as journal:
        journal.write(f"{NAME} {what}\n")


def port() -> int:
    environment = os.environ
    for name in (
        "OTELCOL_HEALTH_ADDRESS",
        "JAEGER_HEALTH_ADDRESS",
        "VL_httpListenAddr",
        "TEMPO_HTTP_PORT",
        "LOKI_HTTP_PORT",
        "GATEWAYZ_PORT",
    ):
        if name in environment:
            return int(environment[name].rpartition(":")[2])
    found = re.search(r"listen-address=\S*:(\d+)", " ".join(sys.argv))
    assert found is not None
    return int(found[1])


def main() -> None:
    if "--version" in sys.argv:
        sys.stdout.write(VERSION_LINES.get(NAME, f"{NAME}, version 9.9.9") + "\n")
        return
    if sys.argv[1:] == ["components"]:
        sys.stdout.write("receivers:\n  - name: otlp\n    module: x\n")
        return
    if sys.argv[1:] == ["keys", "ensure-first"]:
        sys.stdout.write("Your first key: gz_secret\n")
        return
    mode_file = HERE / f"{NAME}.mode"
    mode = mode_file.read_text() if mode_file.exists() else ""
    note("started")
    sys.stderr.write(f"{NAME} speaks\n")
    sys.stderr.flush()
    if mode == "die":
        sys.stderr.write("cannot open the store: it is on fire\n")
        sys.exit(3)

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(503 if mode == "never ready" else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", port()), Answer)

    def end(*_: object) -> None:
        note("was told to end")
        if mode != "stubborn":
            threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, end)
    server.serve_forever(poll_interval=0.01)
    note("ended")


if __name__ == "__main__":
    main()
