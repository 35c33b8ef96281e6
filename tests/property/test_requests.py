"""Any request that every wire can say comes back from each of them as it was."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewayz.wires.base import Wire
from gatewayz.wires.translate import CALLER_WIRES, PROVIDER_WIRES
from tests.property.strategies import Json, requests


def there_and_back(wire: Wire, chat: Json, *, stream: bool = False) -> Json:
    said = PROVIDER_WIRES[wire].from_chat(chat, "m", stream=stream)
    return CALLER_WIRES[wire].as_chat(CALLER_WIRES[wire].parse(said))


def back_and_there(wire: Wire, said: bytes) -> bytes:
    chat = CALLER_WIRES[wire].as_chat(CALLER_WIRES[wire].parse(said))
    return PROVIDER_WIRES[wire].from_chat(chat, "m", stream=bool(chat.get("stream")))


@pytest.mark.parametrize("wire", ["openai_responses", "anthropic_messages"])
@settings(max_examples=60, print_blob=True)
@given(chat=requests(), stream=st.booleans())
def test_a_chat_request_comes_back_as_it_was(wire: Wire, chat: Json, stream: bool) -> None:
    back = there_and_back(wire, chat, stream=stream)
    assert bool(back.pop("stream", False)) == stream
    back.pop("stream_options", None)
    for tool in back.get("tools", []):
        tool["function"].setdefault("strict", False)  # said aloud where silence means yes
    for tool in chat.get("tools", []):
        tool["function"].setdefault("strict", False)
    assert back == chat


@pytest.mark.parametrize("wire", ["openai_responses", "anthropic_messages"])
@settings(max_examples=60, print_blob=True)
@given(chat=requests(), stream=st.booleans())
def test_a_request_of_another_wire_comes_back_as_it_was(wire: Wire, chat: Json, stream: bool) -> None:
    said = PROVIDER_WIRES[wire].from_chat(chat, "m", stream=stream)
    assert orjson.loads(back_and_there(wire, said)) == orjson.loads(said)
