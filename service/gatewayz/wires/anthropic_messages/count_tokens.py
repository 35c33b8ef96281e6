"""``messages/count_tokens``: forwarded to a provider of this wire, or estimated where there is none.

Pure: no I/O, no clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson
from msgspec import Struct

from gatewayz.errors import GatewayError, InvalidRequest, ProviderError, ProviderMalformedResponse
from gatewayz.records import Call
from gatewayz.wires.anthropic_messages.errors import error_event
from gatewayz.wires.anthropic_messages.request import messages_to_upstream, parse_count_tokens_request
from gatewayz.wires.anthropic_messages.wire import HTTP, MessagesProvider
from gatewayz.wires.base import AnswerInfo, AnswerWriter, Wire
from gatewayz.wires.fold import UNREADABLE, Fold
from gatewayz.wires.http_terms import HttpTerms
from gatewayz.wires.json_values import no_equal
from gatewayz.wires.token_estimate import input_tokens


class _Count(Struct):
    input_tokens: int


_COUNT = msgspec.json.Decoder(_Count)


class CountFold(Fold):
    """An answer that holds a count of tokens; none of them was used."""

    __slots__ = ()

    def reply(self, body: bytes) -> None:
        """Raises ProviderMalformedResponse when the body is no count."""
        try:
            _COUNT.decode(body)
        except UNREADABLE:
            raise ProviderMalformedResponse("The provider's answer is not a count of tokens.") from None
        self.done = True


@dataclass(frozen=True, slots=True)
class TokenCount:
    """The endpoint for callers and for providers. It is never translated: chat has no such request."""

    name: Wire = "anthropic_messages"
    path: str = "/messages/count_tokens"
    http: HttpTerms = HTTP

    def parse(self, body: bytes) -> Call:
        """Raises InvalidRequest naming the member at fault."""
        call = parse_count_tokens_request(body)
        try:
            orjson.loads(body)  # the estimate or the provider will parse all of it
        except orjson.JSONDecodeError as error:
            raise InvalidRequest(f"The body is not valid JSON: {error.msg}.", code="invalid_json") from None
        return call

    def request(self, call: Call, model: str) -> bytes:
        return messages_to_upstream(call, model)

    def fold(self) -> Fold:
        return CountFold()

    def error(
        self, status: int, headers: Mapping[str, str], body: bytes, secrets: Sequence[str], *, now_s: float
    ) -> ProviderError:
        return MessagesProvider().error(status, headers, body, secrets, now_s=now_s)

    def as_chat(self, call: Call) -> dict[str, Any]:
        raise no_equal("model", "a chat cannot be asked to count")

    def writer(self, call: Call, info: AnswerInfo) -> AnswerWriter:
        raise InvalidRequest("A chat's answer is no count of tokens.")

    def error_event(self, error: GatewayError) -> bytes:
        return error_event(error)


TOKEN_COUNT = TokenCount()


def count_reply(input_tokens: int) -> bytes:
    return orjson.dumps({"input_tokens": input_tokens})


def estimate_input_tokens(call: Call) -> int:
    """About how many tokens a request has, where no provider can count them (method and accuracy: token_estimate.py)."""
    return input_tokens(
        [orjson.loads(call.fields[name]) for name in ("system", "messages", "tools") if name in call.fields]
    )
