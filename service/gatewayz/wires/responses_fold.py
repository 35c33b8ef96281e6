"""What an answer of OpenAI's Responses API amounts to, whether it comes whole or in events.

Pure: no I/O, no clock. Answers are observed, never rebuilt.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from gatewayz.errors import ProviderBadRequest, ProviderError, ProviderMalformedResponse
from gatewayz.records import NO_USAGE, Usage
from gatewayz.wires.chat_fold import EventKind, error_in_band
from gatewayz.wires.sse import data_of


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


class _Item(Struct):
    type: str | None = None


class _Response(Struct):
    id: str | None = None
    model: str | None = None
    status: str | None = None
    output: list[_Item] | None = None
    incomplete_details: _Incomplete | None = None
    usage: Raw = Raw()
    error: Raw = Raw()


class _Event(Struct):
    type: str | None = None
    delta: Raw = Raw()
    item: _Item | None = None
    response: _Response | None = None
    error: Raw = Raw()
    code: Raw = Raw()
    sequence_number: int | None = None


class _Code(Struct):
    code: str | None = None


_EVENT = msgspec.json.Decoder(_Event)
_RESPONSE = msgspec.json.Decoder(_Response)
_USAGE = msgspec.json.Decoder(_Usage)
_CODE = msgspec.json.Decoder(_Code)
_EMPTY = (b"", b"null", b'""', b"[]", b"{}")

_ENDS = ("response.completed", "response.incomplete")
_PRELUDE = ("response.created", "response.in_progress")
_FAILURES = ("response.failed", "response.cancelled")
_REASONS = {"max_output_tokens": "length", "content_filter": "content_filter"}
_CALLS = ("function_call", "custom_tool_call")
# How the codes of failures begin that another try would not change: they are about the request.
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
    """Why the model stopped, in chat's words; None while it has not."""
    if status == "incomplete":
        return _REASONS.get(incomplete_reason or "", "length")
    if status not in ("completed", None):
        return None
    return "tool_calls" if any(kind in _CALLS for kind in item_types) else "stop"


class ResponsesFold:
    """What one answer amounts to. Read the attributes at any time: a stream that was cut has said what it has said."""

    __slots__ = (
        "_announced",
        "content_events",
        "done",
        "error",
        "finish_reasons",
        "response_id",
        "response_model",
        "sequence_number",
        "usage",
    )

    def __init__(self) -> None:
        self.response_id: str | None = None
        self.response_model: str | None = None
        self.finish_reasons: tuple[str, ...] = ()
        self.usage: Usage = NO_USAGE
        self.content_events = 0
        self.done = False
        self.error: ProviderError | None = None
        self._announced: _Response | None = None
        self.sequence_number = -1
        """Of the last event that had one."""

    @property
    def complete(self) -> bool:
        """The stream said that it was over. Only its last event does."""
        return self.done

    def reply(self, body: bytes) -> None:
        """Fold a whole answer. Raises ProviderMalformedResponse when it is not one, ProviderError when it is a failure under
        status 200."""
        try:
            response = _RESPONSE.decode(body)
        except (ValueError, RecursionError):
            raise ProviderMalformedResponse(_describe_garbage(body)) from None
        if bytes(response.error) not in _EMPTY or response.status == "failed":
            raise failure_in_band(bytes(response.error))
        if response.output is None:
            raise ProviderMalformedResponse("The provider's answer has no output.")
        self._response(response)

    def event(self, event: bytes) -> EventKind:
        """Fold one event of a stream. Raises ProviderMalformedResponse when its data is not JSON; an error event does not
        raise but sets ``error``."""
        data = data_of(event)
        if not data or data == b"[DONE]":  # some servers of this wire end with chat's word
            return "other"
        try:
            said = _EVENT.decode(data)
        except msgspec.ValidationError:
            return "other"  # JSON, but of a shape we do not know: the caller may
        except (ValueError, RecursionError):
            raise ProviderMalformedResponse("The provider sent an event that is not valid JSON.") from None
        if said.sequence_number is not None:
            self.sequence_number = said.sequence_number
        kind = said.type or ""
        response = said.response
        if kind == "error" or kind in _FAILURES or (not kind and bytes(said.error) not in _EMPTY):
            if response is not None:
                self._response(response)
            error = bytes(response.error) if response is not None else bytes(said.error)
            self.error = failure_in_band(data if error in _EMPTY else error)
            return "error"
        if kind in _ENDS:
            if response is not None:
                self._response(response)
            self.done = True
            return "done"
        if kind in _PRELUDE:
            # Not yet a beginning: what fails at once fails in the event after these, and another provider may still be asked.
            self._announced = response
            return "other"
        if self._announced is not None:
            self._identify(self._announced)
            self._announced = None
        if response is not None:
            self._identify(response)
            return "other"
        if kind.endswith(".delta") and bytes(said.delta) not in _EMPTY:
            self.content_events += 1
            return "content"
        if kind == "response.output_item.added" and said.item is not None and said.item.type in _CALLS:
            self.content_events += 1
            return "content"
        return "other"

    def _identify(self, response: _Response) -> None:
        self.response_id = response.id or self.response_id
        self.response_model = response.model or self.response_model

    def _response(self, response: _Response) -> None:
        self._identify(response)
        incomplete = response.incomplete_details.reason if response.incomplete_details else None
        reason = finish_reason(response.status, incomplete, [item.type for item in response.output or ()])
        if reason is not None:
            self.finish_reasons = (reason,)
        self._count(bytes(response.usage))

    def _count(self, raw: bytes) -> None:
        try:
            usage = _USAGE.decode(raw)
        except (ValueError, RecursionError):
            return
        if usage.input_tokens is None and usage.output_tokens is None:
            return
        given, made = usage.input_tokens_details, usage.output_tokens_details
        self.usage = Usage(
            input_tokens=_tokens(usage.input_tokens),
            output_tokens=_tokens(usage.output_tokens),
            cache_read_tokens=_tokens(given.cached_tokens if given else None),
            cache_write_tokens=_tokens(given.cache_write_tokens if given else None),
            reasoning_tokens=_tokens(made.reasoning_tokens if made else None),
            source="provider",
        )


def failure_in_band(error: bytes) -> ProviderError:
    """The error inside a 200, by its code; its text is not repeated, for providers quote keys and prompts in it."""
    try:
        code = _CODE.decode(error).code
    except (ValueError, RecursionError):
        code = None
    if code is not None and code.startswith(_CALLERS_FAULT):
        return ProviderBadRequest("The provider refused the request.", upstream_status=400, code=code[:64])
    return error_in_band(error)


def _tokens(count: int | None) -> int:
    """A count as a provider gave it: never below nothing, never more than a counter holds."""
    return 0 if count is None else min(max(count, 0), 2**53)


def _describe_garbage(body: bytes) -> str:
    head = body[:64].lstrip()
    if not head:
        return "The provider's answer is empty."
    if head.startswith(b"<"):
        return "The provider answered with a web page instead of JSON."
    return "The provider's answer is not the JSON it should be."
