"""The outcome of an answer of OpenAI's Responses API, whole or streamed.

Pure: no I/O, no clock. Answers are observed, never rebuilt.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from gatewayz.errors import ProviderBadRequest, ProviderError, ProviderMalformedResponse
from gatewayz.records import Usage
from gatewayz.wires.fold import EMPTY, SAMPLED_EVENTS, UNREADABLE, EventKind, StreamFold, token_count
from gatewayz.wires.refusals.in_band import error_in_band
from gatewayz.wires.token_estimate import size_of


class _InputDetails(Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _OutputDetails(Struct):
    reasoning_tokens: int | None = None


class _Usage(Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: _InputDetails | None = None
    output_tokens_details: _OutputDetails | None = None


class _Incomplete(Struct):
    reason: str | None = None


class ResponsesItem(Struct):
    type: str | None = None
    name: str | None = None


class ResponsesReply(Struct):
    id: str | None = None
    model: str | None = None
    status: str | None = None
    output: list[ResponsesItem] | None = None
    incomplete_details: _Incomplete | None = None
    usage: Raw = Raw()
    error: Raw = Raw()


class ResponsesEvent(Struct):
    type: str | None = None
    delta: Raw = Raw()
    item: ResponsesItem | None = None
    response: ResponsesReply | None = None
    error: Raw = Raw()
    code: Raw = Raw()
    sequence_number: int | None = None


class _Code(Struct):
    code: str | None = None


_EVENT = msgspec.json.Decoder(ResponsesEvent)
_RESPONSE = msgspec.json.Decoder(ResponsesReply)
_USAGE = msgspec.json.Decoder(_Usage)
_CODE = msgspec.json.Decoder(_Code)

_ENDS = ("response.completed", "response.incomplete")
_PRELUDE = ("response.created", "response.in_progress")
_FAILURES = ("response.failed", "response.cancelled")
_REASONS = {"max_output_tokens": "length", "content_filter": "content_filter"}
_CALLS = ("function_call", "custom_tool_call")
_ARGUMENTS = "response.function_call_arguments.delta"
# Prefixes of error codes that are about the request: another try would not help.
_CALLERS_FAULT = (
    "invalid_",
    "image_",
    "empty_image",
    "unsupported_image",
    "bio_policy",
    "misalignment_policy",
    "data_residency",
)


def finish_reason(status: str | None, incomplete_reason: str | None, item_types: list[str | None]) -> str | None:
    """The finish reason in chat's values; None while the model has not stopped."""
    if status == "incomplete":
        return _REASONS.get(incomplete_reason or "", "length")
    if status not in ("completed", None):
        return None
    return "tool_calls" if any(kind in _CALLS for kind in item_types) else "stop"


class ResponsesFold(StreamFold[ResponsesEvent, ResponsesReply]):
    """An answer of the Responses API. Only the last event says that a stream is over."""

    __slots__ = ("_announced", "sequence_number")

    read_event = _EVENT.decode
    read_reply = _RESPONSE.decode
    content_member = "output"

    def __init__(self) -> None:
        super().__init__()
        self._announced: ResponsesReply | None = None
        self.sequence_number = -1
        """The sequence number of the last event that had one."""

    def _take_reply(self, whole: ResponsesReply) -> None:
        if bytes(whole.error) not in EMPTY or whole.status == "failed":
            raise failure_in_band(bytes(whole.error))
        if whole.output is None:
            raise ProviderMalformedResponse("The provider's answer has no output.")
        self._response(whole)

    def _take(self, event: ResponsesEvent) -> EventKind:
        if event.sequence_number is not None:
            self.sequence_number = event.sequence_number
        kind = event.type or ""
        response = event.response
        if kind == "error" or kind in _FAILURES or (not kind and bytes(event.error) not in EMPTY):
            return self._fail(event)
        if kind in _ENDS:
            if response is not None:
                self._response(response)
            self.done = True
            return "done"
        if kind in _PRELUDE:
            # These do not count as a beginning. An early failure comes right after them, and another provider can still be tried.
            self._announced = response
            return "other"
        if self._announced is not None:
            self._identify(self._announced)
            self._announced = None
        if response is not None:
            self._identify(response)
            return "other"
        if kind.endswith(".delta") and (raw := bytes(event.delta)) not in EMPTY:
            self.content_bytes += len(raw)
            # Arguments are not sampled: their escapes make up for JSON's higher token density.
            if self.content_events < SAMPLED_EVENTS and kind != _ARGUMENTS:
                self._sample(len(raw), raw)
            return "content"
        if kind == "response.output_item.added" and event.item is not None and event.item.type in _CALLS:
            self.content_bytes += size_of(event.item.name or "")
            return "content"
        return "other"

    def _fail(self, event: ResponsesEvent) -> EventKind:
        response = event.response
        if response is not None:
            self._response(response)
        error = bytes(response.error if response is not None else event.error)
        if error in EMPTY:  # the event itself is the error
            error = b'{"code":%b}' % (bytes(event.code) or b"null")
        self.error = failure_in_band(error)
        return "error"

    def _identify(self, response: ResponsesReply) -> None:
        self.response_id = response.id or self.response_id
        self.response_model = response.model or self.response_model

    def _response(self, response: ResponsesReply) -> None:
        self._identify(response)
        incomplete = response.incomplete_details.reason if response.incomplete_details else None
        reason = finish_reason(response.status, incomplete, [item.type for item in response.output or ()])
        if reason is not None:
            self.finish_reasons = (reason,)
        self._count(bytes(response.usage))

    def _count(self, raw: bytes) -> None:
        try:
            usage = _USAGE.decode(raw)
        except UNREADABLE:
            return
        if usage.input_tokens is None and usage.output_tokens is None:
            return
        given, made = usage.input_tokens_details, usage.output_tokens_details
        self.usage = Usage(
            input_tokens=token_count(usage.input_tokens),
            output_tokens=token_count(usage.output_tokens),
            cache_read_tokens=token_count(given.cached_tokens if given else None),
            cache_write_tokens=token_count(given.cache_write_tokens if given else None),
            reasoning_tokens=token_count(made.reasoning_tokens if made else None),
            source="provider",
        )


def failure_in_band(error: bytes) -> ProviderError:
    """The error inside an answer of status 200, by its code. Its text is not forwarded, for providers quote keys and prompts
    in it."""
    try:
        code = _CODE.decode(error).code
    except UNREADABLE:
        code = None
    if code is not None and code.startswith(_CALLERS_FAULT):
        return ProviderBadRequest("The provider refused the request.", upstream_status=400, code=code[:64])
    return error_in_band(error)
