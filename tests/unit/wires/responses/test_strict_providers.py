"""What some providers refuse though others take it: requests are made so that the strict ones take them too."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from gatewayz.wires.anthropic_messages.wire import MessagesProvider
from gatewayz.wires.openai_chat.wire import ChatProvider
from gatewayz.wires.openai_responses.wire import ResponsesCaller, ResponsesProvider

PICTURE: dict[str, Any] = {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo=", "detail": "auto"}
SHOWN: dict[str, Any] = {"type": "image_url", "image_url": {"url": PICTURE["image_url"]}}
HI: dict[str, Any] = {"role": "user", "content": "hi"}


def hub(*items: Any, **members: Any) -> dict[str, Any]:
    caller = ResponsesCaller()
    return caller.as_chat(caller.parse(orjson.dumps({"model": "m", "input": list(items), **members})))


def to_chat(*items: Any, **members: Any) -> list[Any]:
    return orjson.loads(ChatProvider().from_chat(hub(*items, **members), "m", stream=False))["messages"]


def to_responses(**members: Any) -> Any:
    return orjson.loads(ResponsesProvider().from_chat({"model": "m", "messages": [HI], **members}, "m", stream=False))


def text(said: str) -> dict[str, Any]:
    return {"type": "input_text", "text": said}


def calls(*call_ids: str) -> list[dict[str, Any]]:
    return [{"type": "function_call", "call_id": call_id, "name": "f", "arguments": "{}"} for call_id in call_ids]


def output(call_id: str, said: Any) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": said}


def speakers(messages: list[Any]) -> list[str]:
    return [f"{message['role']}:{message.get('tool_call_id', '')}".rstrip(":") for message in messages]


class TestOneSystemMessage:
    def test_instructions_and_what_a_developer_says_first_are_one(self) -> None:
        said = to_chat({"role": "developer", "content": [text("And kind.")]}, HI, instructions="Be brief.")
        assert said == [{"role": "system", "content": "Be brief.\n\nAnd kind."}, HI]

    def test_a_later_one_keeps_its_place(self) -> None:
        said = to_chat(HI, {"role": "developer", "content": "Now in French."}, HI, instructions="Be brief.")
        assert speakers(said) == ["system", "user", "system", "user"]


class TestTexts:
    @pytest.mark.parametrize("role", ["user", "system"])
    def test_those_of_a_message_are_one_string(self, role: str) -> None:
        assert to_chat({"role": role, "content": [text("a"), text("b")]}, HI)[0] == {"role": role, "content": "a\n\nb"}

    def test_those_of_an_output_are_one_string(self) -> None:
        assert to_chat(*calls("a"), output("a", [text("one"), text("two")]))[1]["content"] == "one\ntwo"

    def test_beside_a_picture_they_are_parts(self) -> None:
        said = to_chat({"role": "user", "content": [text("a"), PICTURE]})[0]["content"]
        assert [part["type"] for part in said] == ["text", "image_url"]


class TestPicturesOfTools:
    def test_chat_shows_them_in_the_users_turn(self) -> None:
        said = to_chat(*calls("a", "b"), output("a", [text("here"), PICTURE]), output("b", "two"))
        assert said[1:] == [
            {"role": "tool", "tool_call_id": "a", "content": "here"},
            {"role": "tool", "tool_call_id": "b", "content": "two"},
            {"role": "user", "content": [SHOWN]},
        ]

    def test_together_with_what_the_user_says_next(self) -> None:
        said = to_chat(*calls("a"), output("a", [PICTURE]), {"role": "user", "content": "And?"})
        assert said[1:] == [
            {"role": "tool", "tool_call_id": "a", "content": ""},
            {"role": "user", "content": [SHOWN, {"type": "text", "text": "And?"}]},
        ]

    def test_ahead_of_what_the_model_says_next(self) -> None:
        said = to_chat(*calls("a"), output("a", [PICTURE]), {"role": "assistant", "content": "I see."}, HI)
        assert speakers(said) == ["assistant", "tool:a", "user", "assistant", "user"]

    def test_anthropic_gets_them_where_they_were(self) -> None:
        chat = {**hub(HI, *calls("a"), output("a", [PICTURE])), "max_completion_tokens": 9}
        said = orjson.loads(MessagesProvider().from_chat(chat, "claude-sonnet-4-5", stream=False))["messages"]
        assert said[-1]["content"][0]["content"][0]["type"] == "image"


class TestOutputsRightBehindCalls:
    def test_what_the_model_said_after_a_call_is_said_with_it(self) -> None:
        said = to_chat(HI, *calls("a"), {"role": "assistant", "content": "Let me see."}, output("a", "one"))
        assert speakers(said) == ["user", "assistant", "tool:a"]
        assert (said[1]["content"], len(said[1]["tool_calls"])) == ("Let me see.", 1)

    def test_before_and_after_it(self) -> None:
        words = [{"role": "assistant", "content": said} for said in ("Wait.", "Let me see.")]
        said = to_chat(HI, words[0], *calls("a"), words[1], output("a", "one"))
        assert speakers(said) == ["user", "assistant", "tool:a"]
        assert said[1]["content"] == "Wait.\n\nLet me see."

    def test_what_the_user_said_in_between_comes_after(self) -> None:
        said = to_chat(*calls("a", "b"), output("a", "one"), {"role": "user", "content": "Hurry."}, output("b", "two"))
        assert speakers(said) == ["assistant", "tool:a", "tool:b", "user"]

    def test_an_id_that_comes_again_belongs_to_the_latest_call(self) -> None:
        said = to_chat(*calls("a"), output("a", "one"), HI, *calls("a"), output("a", "two"))
        assert speakers(said) == ["assistant", "tool:a", "user", "assistant", "tool:a"]
        assert [message["content"] for message in said if message["role"] == "tool"] == ["one", "two"]

    def test_an_output_of_no_call_stays_where_it_is(self) -> None:
        assert speakers(to_chat(HI, output("x", "one"), HI)) == ["user", "tool:x", "user"]


class TestProvidersOfResponses:
    @pytest.mark.parametrize(("asked", "becomes"), [(1, 16), (15, 16), (16, 16), (17, 17)])
    @pytest.mark.parametrize("member", ["max_tokens", "max_completion_tokens"])
    def test_a_limit_below_the_least_is_the_least(self, member: str, asked: int, becomes: int) -> None:
        assert to_responses(**{member: asked})["max_output_tokens"] == becomes

    @pytest.mark.parametrize("silent", [{}, {"parameters": None}, {"parameters": {"type": "object"}}])
    def test_a_tool_without_properties_says_so(self, silent: dict[str, Any]) -> None:
        tool = to_responses(tools=[{"type": "function", "function": {"name": "f", **silent}}])["tools"][0]
        assert tool["parameters"] == {"type": "object", "properties": {}}

    def test_a_strict_tool_without_parameters_takes_none(self) -> None:
        tool = to_responses(tools=[{"type": "function", "function": {"name": "f", "strict": True}}])["tools"][0]
        assert tool["parameters"]["additionalProperties"] is False

    def test_who_speaks_is_left_out(self) -> None:
        assert to_responses(messages=[{**HI, "name": "Ann"}])["input"] == [HI]
