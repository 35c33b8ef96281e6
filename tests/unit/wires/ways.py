"""The two halves of a translation, each with OpenAI's chat on its other side; and errors as the callers of each wire get them."""

from __future__ import annotations

import orjson

from gatewayz.errors import GatewayError
from gatewayz.records import Call
from gatewayz.wires.anthropic_messages import errors as messages_errors
from gatewayz.wires.base import AnswerInfo, CallerWire, ProviderWire, Wire
from gatewayz.wires.openai_chat import errors as chat_errors
from gatewayz.wires.openai_chat.wire import ChatCaller, ChatProvider
from gatewayz.wires.translate import AnswerTranslation, translation

_CHAT_CALL = ChatCaller().parse(orjson.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}]}))


def answer_to_chat(provider: ProviderWire, info: AnswerInfo) -> AnswerTranslation:
    """A provider's answer for a caller of chat."""
    made = translation(_CHAT_CALL, ChatCaller(), provider, info)
    assert made is not None
    return made


def answer_from_chat(caller: CallerWire, call: Call, info: AnswerInfo) -> AnswerTranslation:
    """The answer of a provider of chat for a caller of another wire."""
    made = translation(call, caller, ChatProvider(), info)
    assert made is not None
    return made


def error_body(caller: Wire, error: GatewayError) -> bytes:
    return messages_errors.error_body(error) if caller == "anthropic_messages" else chat_errors.error_body(error)
