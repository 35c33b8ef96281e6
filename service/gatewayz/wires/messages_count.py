"""``messages/count_tokens``: asked of a provider of this wire as it is; where there is none, an estimate.

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
from gatewayz.records import NO_USAGE, Call, Operation, Usage
from gatewayz.wires.base import Fold, Shape, Translation, Wire
from gatewayz.wires.chat_fold import EventKind
from gatewayz.wires.json_values import list_of, no_equal, object_of
from gatewayz.wires.messages import MessagesProvider
from gatewayz.wires.messages_errors import error_body, error_event
from gatewayz.wires.messages_request import messages_to_upstream, parse_count_tokens_request

BYTES_PER_TOKEN = 4
"""Of English prose and code, roughly; what is left to go by where no provider counts for us."""

IMAGE_TOKENS = 1_600  # Anthropic's largest image, after its own scaling


class _Count(Struct):
    input_tokens: int


_COUNT = msgspec.json.Decoder(_Count)


class CountFold:
    """An answer that says how many tokens there are; none of them was used."""

    __slots__ = ("content_events", "done", "error", "finish_reasons", "response_id", "response_model", "usage")

    def __init__(self) -> None:
        self.response_id: str | None = None
        self.response_model: str | None = None
        self.finish_reasons: tuple[str, ...] = ()
        self.usage: Usage = NO_USAGE
        self.content_events = 0
        self.done = False
        self.error: ProviderError | None = None

    @property
    def complete(self) -> bool:
        return self.done

    def reply(self, body: bytes) -> None:
        """Raises ProviderMalformedResponse when it is no count."""
        try:
            _COUNT.decode(body)
        except (msgspec.DecodeError, RecursionError):
            raise ProviderMalformedResponse("The provider's answer is not a count of tokens.") from None
        self.done = True

    def event(self, event: bytes) -> EventKind:
        return "other"  # a count is never streamed


@dataclass(frozen=True, slots=True)
class TokenCount:
    """Both sides of the endpoint. There is no way through the hub: chat has no such question."""

    name: Wire = "anthropic_messages"
    operation: Operation = "count_tokens"
    path: str = "/messages/count_tokens"

    def parse(self, body: bytes) -> Call:
        """Raises InvalidRequest naming the member at fault."""
        call = parse_count_tokens_request(body)
        try:
            orjson.loads(body)  # the whole of it is going to be read, by us or by a provider
        except orjson.JSONDecodeError as error:
            raise InvalidRequest(f"The body is not valid JSON: {error.msg}.", code="invalid_json") from None
        return call

    def request(self, call: Call, model: str) -> bytes:
        return messages_to_upstream(call, model)

    def fold(self) -> Fold:
        return CountFold()

    def error(self, status: int, headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> ProviderError:
        return MessagesProvider().error(status, headers, body, secrets)

    def as_chat(self, call: Call) -> dict[str, Any]:
        raise no_equal("model", "a chat cannot be asked to count")

    def from_chat(self, call: Call, shape: Shape) -> Translation:
        raise InvalidRequest("A chat's answer is no count of tokens.")

    def error_body(self, error: GatewayError) -> bytes:
        return error_body(error)

    def error_event(self, error: GatewayError) -> bytes:
        return error_event(error)


TOKEN_COUNT = TokenCount()


def count_reply(input_tokens: int) -> bytes:
    return orjson.dumps({"input_tokens": input_tokens})


def estimate_input_tokens(call: Call) -> int:
    """About how many tokens a request comes to, where no provider can count them. Images count as such, not by their bytes.

    An estimate: within a third for English text, further off for other scripts and for many small tools.
    """
    size = images = 0
    for name in ("system", "messages", "tools"):
        if name in call.fields:
            found = _size(orjson.loads(call.fields[name]))
            size += found[0]
            images += found[1]
    return max(1, size // BYTES_PER_TOKEN + images * IMAGE_TOKENS)


def _size(value: Any) -> tuple[int, int]:
    """Bytes of text and number of images in a JSON value, of any depth."""
    size = images = 0
    waiting: list[Any] = [value]
    while waiting:
        found = waiting.pop()
        if members := object_of(found):
            if members.get("type") in ("base64", "url", "file"):
                images += 1
                continue
            size += sum(len(name) for name in members)
            waiting.extend(members.values())
        elif values := list_of(found):
            waiting.extend(values)
        else:
            size += len(str(found).encode("utf-8", "surrogatepass"))
    return size, images
