"""An answer as it came over the wire, read from a socket on which a test has sent exactly the bytes it wanted to."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    """Names are lower-case."""
    body: bytes

    @property
    def error(self) -> dict[str, Any]:
        return json.loads(self.body)["error"]


def read_reply(connection: socket.socket) -> Reply:
    response = http.client.HTTPResponse(connection)
    try:
        response.begin()
        return reply_of(response)
    finally:
        response.close()


def reply_of(response: http.client.HTTPResponse) -> Reply:
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Reply(response.status, headers, response.read())
