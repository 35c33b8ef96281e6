"""Translation between a caller's wire and a provider's: none where they are the same, otherwise through the hub.

request: caller ── as_chat ─▶ chat request (dialect.py) ── from_chat ─▶ provider
answer:  caller ◀─ writer ─── parts (parts.py) ◀────────── reader ───── provider
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import orjson

from gatewayz.errors import InvalidRequest, ProviderMalformedResponse
from gatewayz.records import Call
from gatewayz.wires.anthropic_messages.wire import MessagesCaller, MessagesProvider
from gatewayz.wires.base import AnswerInfo, AnswerReader, AnswerWriter, CallerWire, ProviderWire, Wire
from gatewayz.wires.fold import EventKind
from gatewayz.wires.gemini.wire import GeminiWire
from gatewayz.wires.member_names import with_callers_name
from gatewayz.wires.openai_chat.wire import ChatCaller, ChatProvider
from gatewayz.wires.openai_completions.wire import CompletionsCaller, CompletionsProvider
from gatewayz.wires.openai_responses.wire import ResponsesCaller, ResponsesProvider

HUB: Wire = "openai_chat"

CALLER_WIRES: Mapping[Wire, CallerWire] = {
    wire.name: wire
    for wire in (
        ChatCaller(),
        CompletionsCaller(),
        ResponsesCaller(),
        MessagesCaller(),
    )
}

PROVIDER_WIRES: Mapping[Wire, ProviderWire] = {
    wire.name: wire
    for wire in (
        ChatProvider(),
        CompletionsProvider(),
        ResponsesProvider(),
        MessagesProvider(),
        GeminiWire(),
    )
}


def wire_for(caller: Wire, spoken: Sequence[Wire], call: Call | None = None) -> Wire:
    """Which of a provider's wires to use for a call: the caller's own if it is spoken, otherwise the provider's first.

    One exception: where the first is chat and the provider also has Responses, a call with tools or thinking uses Responses.
    OpenAI's newer models refuse tools on chat unless thinking is off, and never show thoughts there. A call with stop
    sequences stays on chat, for Responses has none.
    """
    if caller in spoken:
        return caller
    if call is None or spoken[0] != HUB or "openai_responses" not in spoken or not _thinks_or_calls(call):
        return spoken[0]
    return "openai_responses"


def _thinks_or_calls(call: Call) -> bool:
    fields = call.fields
    if call.parameters.stop_sequences:
        return False
    if _is_set(fields.get("tools")) or _is_set(fields.get("output_config")):
        return True
    thinking = fields.get("thinking", b"")
    return _is_set(thinking) and b'"disabled"' not in thinking


def _is_set(member: bytes | None) -> bool:
    """Whether a raw member is there and neither null nor empty."""
    return member is not None and member.strip(b"[]{} \t\r\n") not in (b"", b"null")


def request_body(call: Call, caller: CallerWire, provider: ProviderWire, model: str, *, usage_option: bool) -> bytes:
    """The body for the provider. Raises InvalidRequest naming the member that has no equal on its wire."""
    if caller.name == provider.name:
        return provider.request(call, model, usage_option=usage_option)
    try:
        chat = caller.as_chat(call)
        try:
            return provider.from_chat(chat, model, stream=call.stream)
        except InvalidRequest as error:
            raise with_callers_name(error, caller.name) from None
    except orjson.JSONDecodeError as error:  # an unpaired surrogate, in a member that was not parsed before
        raise InvalidRequest(f"The body is not valid JSON: {error.msg}.", code="invalid_json") from None
    except (orjson.JSONEncodeError, RecursionError) as error:
        if not _too_deep(error):
            raise
        raise InvalidRequest("The body is nested too deeply.", code="invalid_json") from None


def translation(call: Call, caller: CallerWire, provider: ProviderWire, info: AnswerInfo) -> AnswerTranslation | None:
    """The translation of the provider's answer into the caller's; None where both speak the same wire."""
    if caller.name == provider.name:
        return None
    return AnswerTranslation(provider.reader(info), caller.writer(call, info))


def _too_deep(error: Exception) -> bool:
    """orjson has no error of its own for values nested too deeply: it raises TypeError, as for a mistake of ours."""
    return isinstance(error, RecursionError) or "recursion" in str(error).lower()


_UNREADABLE = (msgspec.DecodeError, orjson.JSONDecodeError, UnicodeDecodeError, orjson.JSONEncodeError, RecursionError)
"""What a provider's bytes may raise. A fold reads less of an answer than a translation does, so some bad JSON is found
late."""


class AnswerTranslation:
    """Translates one answer from a provider's wire to a caller's. Its bytes are decoded once, into the records from which the
    fold and the parts are made, and encoded once. Any failure on the provider's bytes is the provider's fault."""

    __slots__ = ("_ended", "_reader", "_writer", "fold")

    def __init__(self, reader: AnswerReader, writer: AnswerWriter) -> None:
        self.fold = reader.fold
        self._reader = reader
        self._writer = writer
        self._ended = False

    def reply(self, body: bytes) -> bytes:
        self.fold.reply(body)
        try:
            return self._writer.whole(self._reader.reply(self.fold.whole))
        except _UNREADABLE as error:
            raise _malformed(error, "The provider's answer is not the JSON it should be.") from None

    def take(self, event: bytes) -> tuple[EventKind, bytes]:
        """The end is written, too, after the stream's last event. An error event becomes nothing: the gateway writes its
        own."""
        if self._ended:
            return "other", b""
        kind = self.fold.event(event)
        latest = self.fold.latest
        if kind == "error":
            return kind, b""
        try:
            parts = self._reader.event(latest) if latest is not None else ()
            written = self._writer.write(parts) if parts else b""
        except _UNREADABLE as error:
            raise _malformed(error, "The provider sent an event that is not the JSON it should be.") from None
        return kind, (written + self.end() if kind == "done" else written)

    def event(self, event: bytes) -> bytes:
        """The translation of one event."""
        return self.take(event)[1]

    def end(self) -> bytes:
        if self._ended:
            return b""
        self._ended = True
        return self._writer.write(self._reader.end()) + self._writer.end()


def _malformed(error: Exception, message: str) -> Exception:
    if isinstance(error, orjson.JSONEncodeError) and not _too_deep(error):
        return error  # a mistake of ours
    return ProviderMalformedResponse(message)
