"""Requests: what is read from them, what is refused, and what reaches the provider."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gatewayz.errors import InvalidRequest
from gatewayz.records import Call
from gatewayz.wires.openai_chat.request import chat_to_upstream, parse_chat_request

MESSAGES = [{"role": "user", "content": "hi"}]
MINIMAL: dict[str, Any] = {"model": "gpt-4o", "messages": MESSAGES}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
READ_FIELDS = [
    "model", "messages", "stream", "stream_options", "n", "max_tokens", "max_completion_tokens", "temperature", "top_p",
    "top_k", "frequency_penalty", "presence_penalty", "seed", "stop",
]  # fmt: skip


def body_of(**members: Any) -> bytes:
    return orjson.dumps({**MINIMAL, **members})


def parse(**members: Any) -> Call:
    return parse_chat_request(body_of(**members))


def refusal(body: bytes) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        parse_chat_request(body)
    return caught.value


class TestReading:
    def test_the_least_that_is_a_request(self) -> None:
        call = parse()
        assert (call.model, call.stream, call.include_usage, call.operation) == ("gpt-4o", False, False, "chat")
        assert call.parameters.max_tokens is None
        assert call.parameters.stop_sequences == ()

    def test_parameters_are_read(self) -> None:
        call = parse(temperature=0, top_p=0.5, seed=-7, n=2, stop=["a", "b"], max_tokens=9, frequency_penalty=1)
        parameters = call.parameters
        assert (parameters.temperature, parameters.top_p, parameters.seed, parameters.choice_count) == (0, 0.5, -7, 2)
        assert parameters.stop_sequences == ("a", "b")
        assert parameters.max_tokens == 9

    def test_a_single_stop_is_a_list_of_one(self) -> None:
        assert parse(stop="END").parameters.stop_sequences == ("END",)

    def test_the_newer_word_for_max_tokens_counts(self) -> None:
        assert parse(max_tokens=1, max_completion_tokens=2).parameters.max_tokens == 2

    def test_null_is_as_good_as_absent(self) -> None:
        call = parse(**dict.fromkeys(READ_FIELDS[2:]))
        assert (call.stream, call.include_usage) == (False, False)

    def test_usage_that_the_caller_asks_for_is_noted(self) -> None:
        assert parse(stream=True, stream_options={"include_usage": True}).include_usage
        assert not parse(stream=True, stream_options={"include_usage": False}).include_usage

    def test_every_member_is_kept_as_raw_json(self) -> None:
        body = b'{"model":"m","messages":[{"role":"user"}],"future_field": {"x" : 1.0}}'
        assert parse_chat_request(body).fields["future_field"] == b'{"x" : 1.0}'

    @pytest.mark.parametrize("indent", [None, 2])
    def test_white_space_and_escapes_are_no_obstacle(self, indent: int | None) -> None:
        text = json.dumps({**MINIMAL, 'odd "key" \\ é': [1, 2], "user": "Grüße 🌍", "empty": {}}, indent=indent)
        assert parse_chat_request(f"\n {text} \n".encode()).model == "gpt-4o"


class TestRefusing:
    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b" ",
            b"hello",
            b"{",
            b'{"model":"m","messages":[{"role":"user"}]',
            b'{"model":"m","messages":[{"role":"user"}]}}',
            b'{"model":"m","messages":[{"role":"user"}],"temperature":NaN}',
            b'{"model":"m","messages":[{"role":"user"}],"x":NaN}',
            b'{"model":"m","messages":[{"role":"user"}],"x":Infinity}',
            b"\xef\xbb\xbf" + body_of(),
            b'{"model":"m","messages":[{"role":"user","content":"\\ud800"}]}',
            b'{"model":"m","messages":[{"role":"user","content":"\xff"}]}',
            b'{"model":"m","messages":[{"role":"user","content":"\xed\xa0\x80"}]}',
            b'{"model":"m","messages":[{"role":"user","content":"\x00"}]}',
            b'{"model":"m","messages":[{"role":"user"}],}',
            b"{'model':'m'}",
        ],
    )
    def test_what_is_not_json(self, body: bytes) -> None:
        assert refusal(body).code == "invalid_json"

    @pytest.mark.parametrize("body", [b"null", b"[]", b'"text"', b"1"])
    def test_json_that_is_no_object(self, body: bytes) -> None:
        assert "must be a JSON object" in refusal(body).message

    @pytest.mark.parametrize(
        ("name", "wrong", "says"),
        [
            ("temperature", "hot", "Expected `number | null`, got `string`"),
            ("n", 1.5, "Expected `integer | null`, got `number`"),
            ("stream", {}, "Expected `boolean | null`, got `object`"),
            ("stop", True, "Expected `string | array | null`, got `boolean`"),
        ],
    )
    def test_types_have_the_names_that_json_gives_them(self, name: str, wrong: Any, says: str) -> None:
        assert says in refusal(body_of(**{name: wrong})).message

    @pytest.mark.parametrize("opening", [b"[", b'{"a":'])
    def test_a_nesting_bomb(self, opening: bytes) -> None:
        bomb = b'{"model":"m","messages":[{"role":"user","content":' + opening * 100_000
        assert "nested too deeply" in refusal(bomb).message

    @pytest.mark.parametrize(
        ("body", "name"),
        [
            (b'{"model":"cheap","messages":[{"role":"user"}],"model":"dear"}', "model"),
            (b'{"model":"same","messages":[{"role":"user"}],"model":"same"}', "model"),
            (b'{ "model": "a", "messages": [{"role":"user"}], "x": 1, "x": 1 }', "x"),
            (b'{"model":"m", "messages":[{"role":"user"}], "\\u006dodel":"other"}', "model"),
            (b'{"model":"a", "model":"b", "messages":[{"role":"user"}]}', "model"),
        ],
    )
    def test_a_member_given_twice(self, body: bytes, name: str) -> None:
        assert refusal(body).param == name

    @pytest.mark.parametrize("name", ["model", "messages"])
    def test_a_member_that_is_missing_is_named(self, name: str) -> None:
        error = refusal(orjson.dumps({key: value for key, value in MINIMAL.items() if key != name}))
        assert error.param == name
        assert error.code == "missing_required_parameter"

    @pytest.mark.parametrize(
        ("members", "param"),
        [
            ({"model": 1}, "model"),
            ({"model": ""}, "model"),
            ({"model": "x" * 257}, "model"),
            ({"model": None}, "model"),
            ({"messages": "hi"}, "messages"),
            ({"messages": []}, "messages"),
            ({"messages": [1]}, "messages[0]"),
            ({"messages": [{"content": "no role"}]}, "messages[0].role"),
            ({"messages": [{"role": 1}]}, "messages[0].role"),
            ({"stream": "yes"}, "stream"),
            ({"stream": 1}, "stream"),
            ({"stream_options": True}, "stream_options"),
            ({"stream_options": {"include_usage": "yes"}}, "stream_options.include_usage"),
            ({"n": 0}, "n"),
            ({"n": 1.5}, "n"),
            ({"max_tokens": -1}, "max_tokens"),
            ({"max_tokens": 2**60}, "max_tokens"),
            ({"max_tokens": "10"}, "max_tokens"),
            ({"max_completion_tokens": []}, "max_completion_tokens"),
            ({"temperature": "hot"}, "temperature"),
            ({"temperature": True}, "temperature"),
            ({"top_p": {}}, "top_p"),
            ({"stop": 5}, "stop"),
            ({"stop": ["a", 1]}, "stop[1]"),
        ],
    )
    def test_a_member_of_the_wrong_kind_is_named(self, members: dict[str, Any], param: str) -> None:
        error = refusal(body_of(**members))
        assert error.param == param
        assert error.status == 400

    def test_a_number_that_no_span_can_hold(self) -> None:
        body = b'{"model":"m","messages":[{"role":"user"}],"seed":123456789012345678901234567890}'
        assert refusal(body).param == "seed"


@given(st.binary(max_size=300))
@example(b'{"model":"m","messages":[{"role":"user"}]}')
def test_any_bytes_are_a_call_or_an_invalid_request(body: bytes) -> None:
    with contextlib.suppress(InvalidRequest):
        parse_chat_request(body)


@given(st.dictionaries(st.sampled_from(READ_FIELDS) | st.text(), JSON, max_size=6))
def test_any_json_is_a_call_or_an_invalid_request(members: dict[str, Any]) -> None:
    with contextlib.suppress(InvalidRequest):
        parse_chat_request(json.dumps({**MINIMAL, **members}).encode())


@given(st.dictionaries(st.text().filter(lambda name: name not in READ_FIELDS), JSON, max_size=4), st.booleans())
def test_what_is_not_understood_reaches_the_provider_untouched(extra: dict[str, Any], stream: bool) -> None:
    body = json.dumps({**MINIMAL, "stream": stream, **extra})
    with contextlib.suppress(InvalidRequest):  # NaN, and half a surrogate pair
        call = parse_chat_request(body.encode())
        sent = json.loads(chat_to_upstream(call, "other"))
        assert {name: sent[name] for name in extra} == extra
        assert sent["model"] == "other"
        assert sent["messages"] == MESSAGES


class TestSending:
    def test_nothing_changes_when_nothing_has_to(self) -> None:
        body = b' {"model" : "m", "messages":[ {"role":"user"} ] , "x":1.00}\n'
        assert chat_to_upstream(parse_chat_request(body), "m") is body

    def test_the_model_is_the_providers_own(self) -> None:
        sent = chat_to_upstream(parse(), 'claude "x"')
        assert orjson.loads(sent) == {**MINIMAL, "model": 'claude "x"'}

    def test_values_keep_their_spelling(self) -> None:
        body = b'{"model":"p/m","messages":[ {"role":"user"} ],"temperature":1.0,"logit_bias":{"5":-1e2}}'
        sent = chat_to_upstream(parse_chat_request(body), "m")
        assert sent == body.replace(b"p/m", b"m")

    def test_a_stream_is_asked_to_report_usage(self) -> None:
        assert orjson.loads(chat_to_upstream(parse(stream=True), "gpt-4o"))["stream_options"] == {"include_usage": True}

    @pytest.mark.parametrize("options", [None, {}, {"include_usage": False}])
    def test_other_stream_options_are_kept(self, options: dict[str, Any] | None) -> None:
        members = None if options is None else {**options, "include_obfuscation": False}
        sent = orjson.loads(chat_to_upstream(parse(stream=True, stream_options=members), "gpt-4o"))
        assert sent["stream_options"] == {**(members or {}), "include_usage": True}

    def test_a_whole_answer_reports_usage_anyway(self) -> None:
        assert b"stream_options" not in chat_to_upstream(parse(stream=False), "other")

    def test_a_provider_that_does_not_know_the_option_is_not_given_it(self) -> None:
        assert b"stream_options" not in chat_to_upstream(parse(stream=True), "other", usage_option=False)

    @pytest.mark.parametrize(
        ("options", "sent"),
        [({"include_usage": True}, None), ({"include_usage": True, "x": 1}, {"x": 1}), (None, None)],
    )
    def test_nor_is_it_handed_the_callers(self, options: dict[str, Any] | None, sent: dict[str, Any] | None) -> None:
        """Mistral refuses the whole request over it, and reports usage anyway."""
        call = parse(stream=True, stream_options=options)
        assert orjson.loads(chat_to_upstream(call, "gpt-4o", usage_option=False)).get("stream_options") == sent

    def test_a_caller_who_asks_for_usage_himself_gets_his_own_bytes_through(self) -> None:
        body = body_of(stream=True, stream_options={"include_usage": True})
        assert chat_to_upstream(parse_chat_request(body), "gpt-4o") is body
