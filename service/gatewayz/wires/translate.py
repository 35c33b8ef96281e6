"""The way between a caller's wire and a provider's: none where they are the same, else through the hub.

caller ── as_chat ──▶ chat ── from_chat ──▶ provider
caller ◀─ from_chat ─ chat ◀── to_chat ──── provider
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import orjson

from gatewayz.errors import InvalidRequest, ProviderMalformedResponse
from gatewayz.records import Call
from gatewayz.wires.anthropic_messages.wire import MessagesCaller, MessagesProvider
from gatewayz.wires.base import CallerWire, ProviderWire, Shape, Translation, Wire
from gatewayz.wires.gemini.wire import GeminiWire
from gatewayz.wires.member_names import in_callers_words
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
    """Which of a provider's wires to use for a call: the caller's own, else the provider's first.

    But where that is chat and the provider has Responses too, a call with tools or thinking goes by Responses: OpenAI's newer
    models refuse tools on chat unless they are kept from thinking, and never show their thoughts there. A call with stop
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
    if _says(fields.get("tools")) or _says(fields.get("output_config")):
        return True
    thinking = fields.get("thinking", b"")
    return _says(thinking) and b'"disabled"' not in thinking


def _says(member: bytes | None) -> bool:
    """Whether a raw member is there and neither null nor empty."""
    return member is not None and member.strip(b"[]{} \t\r\n") not in (b"", b"null")


def request_body(call: Call, caller: CallerWire, provider: ProviderWire, model: str, *, usage_option: bool) -> bytes:
    """What to send to the provider. Raises InvalidRequest naming the member that its wire has no equal for."""
    if caller.name == provider.name:
        return provider.request(call, model, usage_option=usage_option)
    try:
        chat = caller.as_chat(call)
        try:
            return provider.from_chat(chat, model, stream=call.stream)
        except InvalidRequest as error:
            raise in_callers_words(error, caller.name) from None
    except orjson.JSONDecodeError as error:  # half of a surrogate pair, in a member that was not read before
        raise InvalidRequest(f"The body is not valid JSON: {error.msg}.", code="invalid_json") from None
    except (orjson.JSONEncodeError, RecursionError) as error:
        if not _too_deep(error):
            raise
        raise InvalidRequest("The body is nested too deeply.", code="invalid_json") from None


def translation(call: Call, caller: CallerWire, provider: ProviderWire, shape: Shape) -> Translation | None:
    """What turns the provider's answer into the caller's; None where they speak the same wire.

    It has to be shown every event of the provider's, those that only tell usage too: which of them the caller gets to see is
    its own affair (``shape.include_usage``).
    """
    if caller.name == provider.name:
        return None
    if caller.name == HUB:
        return Guarded(provider.to_chat(shape))
    if provider.name == HUB:
        return Guarded(caller.from_chat(call, shape))
    # In between, usage is always told: the caller's wire may have a place for it in its last event.
    return Guarded(Through(provider.to_chat(replace(shape, include_usage=True)), caller.from_chat(call, shape)))


def _too_deep(error: Exception) -> bool:
    """orjson has no error of its own for what it cannot write: it raises TypeError, as a mistake of ours would."""
    return isinstance(error, RecursionError) or "recursion" in str(error).lower()


def _unreadable(error: Exception) -> bool:
    return isinstance(error, orjson.JSONDecodeError) or _too_deep(error)


class Guarded:
    """A translation whose provider cannot make it fail in a way that looks like our fault. Folds read less of an answer than
    translations do, so that some bad JSON is met only here."""

    __slots__ = ("_translation",)

    def __init__(self, translation: Translation) -> None:
        self._translation = translation

    def reply(self, body: bytes) -> bytes:
        try:
            return self._translation.reply(body)
        except (orjson.JSONDecodeError, orjson.JSONEncodeError, RecursionError) as error:
            if not _unreadable(error):
                raise
            raise ProviderMalformedResponse("The provider's answer is not the JSON it should be.") from None

    def event(self, event: bytes) -> bytes:
        try:
            return self._translation.event(event)
        except (orjson.JSONDecodeError, orjson.JSONEncodeError, RecursionError) as error:
            if not _unreadable(error):
                raise
            raise ProviderMalformedResponse("The provider sent an event that is not the JSON it should be.") from None

    def end(self) -> bytes:
        return self._translation.end()


class Through:
    """Two translations, one after the other."""

    __slots__ = ("_first", "_second")

    def __init__(self, first: Translation, second: Translation) -> None:
        self._first = first
        self._second = second

    def reply(self, body: bytes) -> bytes:
        return self._second.reply(self._first.reply(body))

    def event(self, event: bytes) -> bytes:
        return self._on(self._first.event(event))

    def end(self) -> bytes:
        return self._on(self._first.end()) + self._second.end()

    def _on(self, events: bytes) -> bytes:
        # What a translation of ours says ends each event with one empty line, and has none inside.
        return b"".join([self._second.event(event + b"\n\n") for event in events.split(b"\n\n") if event])
