"""What callers of Anthropic's wire ask for, and the errors they get."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import anthropic
import orjson
import pytest

from gatewayz import errors
from gatewayz.errors import GatewayError, InvalidRequest
from gatewayz.wires.anthropic_messages.count_tokens import TOKEN_COUNT, CountFold, count_reply, estimate_input_tokens
from gatewayz.wires.anthropic_messages.errors import error_body
from gatewayz.wires.anthropic_messages.wire import MessagesCaller, MessagesProvider
from tests.unit.wires.messages.played import ASKED, Play, anthropic_client, call

NOW_S = datetime(2026, 10, 21, 7, 28, 10, tzinfo=UTC).timestamp()
CALLER, PROVIDER = MessagesCaller(), MessagesProvider()


def test_a_request_of_the_vendors_client_is_understood() -> None:
    play = Play(status=500, body=b"{}")
    with anthropic_client(play) as client, pytest.raises(anthropic.APIStatusError):
        client.messages.create(
            **ASKED,
            stream=True,
            stop_sequences=["END"],
            extra_body={"temperature": 0.5, "top_p": 0.9, "top_k": 5},
        )
    asked = CALLER.parse(orjson.dumps(play.received[0]))
    assert (asked.operation, asked.model, asked.stream, asked.include_usage) == ("chat", "claude-sonnet-5", True, True)
    told = asked.parameters
    assert (told.max_tokens, told.temperature, told.top_p, told.top_k) == (100, 0.5, 0.9, 5)
    assert told.stop_sequences == ("END",)


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": "9"}, "max_tokens"),
        ({"messages": []}, "messages"),
        ({"messages": [{"content": "hi"}]}, "messages[0].role"),
        ({"temperature": 1.5}, "temperature"),
        ({"model": ""}, "model"),
        ({"model": "m" * 300}, "model"),
        ({"stop_sequences": "END"}, "stop_sequences"),
        ({"stream": 1}, "stream"),
    ],
)
def test_what_is_wrong_is_named(members: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        call(**members)
    assert refused.value.param == param


@pytest.mark.parametrize("missing", ["model", "messages", "max_tokens"])
def test_what_is_missing_is_named(missing: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        CALLER.parse(orjson.dumps({name: value for name, value in ASKED.items() if name != missing}))
    assert refused.value.param == missing


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"a":NaN}', b"\xef\xbb\xbf{}", b'{"model":"a","model":"b"}', b"[" * 9999]
)
def test_what_is_no_request_is_refused(body: bytes) -> None:
    for parse in (CALLER.parse, TOKEN_COUNT.parse):
        with pytest.raises(InvalidRequest):
            parse(body)


def test_on_the_same_wire_only_the_models_name_changes() -> None:
    body = b'{"model":"anthropic/claude-x", "max_tokens":1,"messages":[{"role":"user","content":"x"}],"new":{"a":1.0}}'
    asked = CALLER.parse(body)
    assert PROVIDER.request(asked, "anthropic/claude-x", usage_option=True) == body
    sent = PROVIDER.request(asked, "claude-x", usage_option=True)
    assert orjson.loads(sent) == {**orjson.loads(body), "model": "claude-x"}
    assert b'{"a":1.0}' in sent


def test_thinking_of_another_provider_is_kept_from_anthropic() -> None:
    own = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
    foreign = [
        {"type": "thinking", "thinking": "Hm.", "signature": ""},
        {"type": "redacted_thinking", "data": "openai:rs_1:b3Bh"},
    ]
    said = {"type": "text", "text": "Yes."}

    def sent(*blocks: dict[str, Any]) -> Any:
        asked = call(messages=[*ASKED["messages"], {"role": "assistant", "content": blocks}, *ASKED["messages"]])
        return orjson.loads(PROVIDER.request(asked, ASKED["model"], usage_option=True))["messages"]

    assert sent(own, *foreign, said)[1]["content"] == [own, said]
    assert sent(own, said)[1]["content"] == [own, said]
    assert sent(*foreign)[1]["content"] == foreign


def test_tokens_are_counted_without_a_limit_on_the_answer() -> None:
    play = Play(b'{"input_tokens": 14}')
    with anthropic_client(play) as client:
        counted = client.messages.count_tokens(model="claude-sonnet-5", messages=[{"role": "user", "content": "hi"}])
    assert counted.input_tokens == 14
    assert play.paths == ["/v1" + TOKEN_COUNT.path]
    asked = TOKEN_COUNT.parse(orjson.dumps(play.received[0]))
    assert (asked.model, asked.operation) == ("claude-sonnet-5", "count_tokens")
    assert orjson.loads(TOKEN_COUNT.request(asked, "other"))["model"] == "other"
    assert count_reply(estimate_input_tokens(asked)) == b'{"input_tokens":4}'


@pytest.mark.parametrize("content", [rb'"\ud800"', b"[" * 2_000 + b"]" * 2_000])
def test_what_cannot_be_read_is_not_counted(content: bytes) -> None:
    with pytest.raises(InvalidRequest):
        TOKEN_COUNT.parse(b'{"model":"m","messages":[{"role":"user","content":' + content + b"}]}")


def test_what_is_no_count_is_malformed() -> None:
    fold = CountFold()
    fold.reply(b'{"input_tokens":14,"context_management":{}}')
    assert fold.complete
    for body in (b"", b"{}", b"14", b'{"input_tokens":"14"}'):
        with pytest.raises(errors.ProviderMalformedResponse):
            CountFold().reply(body)


def test_an_image_is_not_estimated_by_its_bytes() -> None:
    source = {"type": "base64", "media_type": "image/png", "data": "A" * 1_000_000}
    messages = [{"role": "user", "content": [{"type": "image", "source": source}]}]
    asked = TOKEN_COUNT.parse(orjson.dumps({"model": "m", "messages": messages}))
    assert 1_600 <= estimate_input_tokens(asked) < 1_700


ERRORS: list[tuple[GatewayError, type[anthropic.APIStatusError], str]] = [
    (InvalidRequest("x", param="max_tokens"), anthropic.BadRequestError, "invalid_request_error"),
    (errors.Unauthenticated("x"), anthropic.AuthenticationError, "authentication_error"),
    (errors.Forbidden("x"), anthropic.PermissionDeniedError, "permission_error"),
    (errors.NotFound("x"), anthropic.NotFoundError, "not_found_error"),
    (errors.PayloadTooLarge("x"), anthropic.APIStatusError, "request_too_large"),
    (errors.UnsupportedMediaType("x"), anthropic.APIStatusError, "invalid_request_error"),
    (errors.ProviderRateLimited("x"), anthropic.RateLimitError, "rate_limit_error"),
    (errors.ProviderOverloaded("x"), anthropic.APIStatusError, "overloaded_error"),
    (errors.Overloaded("x"), anthropic.APIStatusError, "overloaded_error"),
    (errors.ProviderIdleTimeout("x"), anthropic.APIStatusError, "timeout_error"),
    (errors.ProviderServerError("x"), anthropic.InternalServerError, "api_error"),
    (errors.NoCandidate("x"), anthropic.APIStatusError, "api_error"),
    (errors.Internal("x"), anthropic.InternalServerError, "api_error"),
]


@pytest.mark.parametrize(("error", "raised", "kind"), ERRORS)
def test_the_vendors_client_raises_the_right_error(
    error: GatewayError, raised: type[anthropic.APIStatusError], kind: str
) -> None:
    play = Play(error_body(error, "req_9"), status=error.status)
    with anthropic_client(play) as client, pytest.raises(raised) as refused:
        client.messages.create(**ASKED)
    assert refused.value.body == {"type": "error", "error": {"type": kind, "message": "x"}, "request_id": "req_9"}


@pytest.mark.parametrize("thread", [{"type": "create"}, {"type": "continue", "previous_message_id": "msg_1"}])
def test_who_asks_for_a_thread_is_told_in_the_way_by_which_the_vendors_clients_go_on_without(thread: object) -> None:
    with pytest.raises(InvalidRequest) as refused:
        CALLER.as_chat(call(thread=thread))
    error = orjson.loads(error_body(refused.value))["error"]
    assert error["type"] == "invalid_request_error"
    assert error["details"] == {"error_code": "thread_unsupported_request", "unsupported": ["thread"]}


def test_an_error_inside_a_stream_is_raised_there() -> None:
    play = Play(CALLER.error_event(errors.ProviderStreamCut("It broke off.")), media_type="text/event-stream")
    with (
        anthropic_client(play) as client,
        pytest.raises(anthropic.APIStatusError, match="It broke off"),
        client.messages.stream(**ASKED) as stream,
    ):
        stream.until_done()


def test_a_providers_refusal_of_the_request_is_handed_on_in_words_and_status() -> None:
    body = b'{"type":"error","error":{"type":"invalid_request_error","message":"max_tokens: 9 > 8"},"request_id":"r"}'
    refusal = PROVIDER.error(400, {}, body, [], now_s=NOW_S)
    assert (refusal.status, refusal.error_type) == (400, "provider_bad_request")
    said = orjson.loads(error_body(refusal))
    assert said["error"] == {"type": "invalid_request_error", "message": "max_tokens: 9 > 8"}
    missing = b'{"type":"error","error":{"type":"not_found_error","message":"model: x"}}'
    gone = PROVIDER.error(404, {}, missing, [], now_s=NOW_S)
    assert orjson.loads(error_body(gone))["error"]["type"] == "not_found_error"


def test_our_empty_account_is_not_the_callers_fault() -> None:
    body = b'{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access"}}'
    assert PROVIDER.error(400, {}, body, [], now_s=NOW_S).error_type == "provider_auth_error"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 30.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT"}, None),
        ({"retry-after": "soon"}, None),
    ],
)
def test_when_to_come_back_is_told_by_the_providers_own_clock(headers: dict[str, str], expected: float | None) -> None:
    nobody_knows = math.nan
    error = PROVIDER.error(429, headers, b"", [], now_s=nobody_knows)
    assert (error.error_type, error.retry_after_s) == ("provider_rate_limited", expected)
    assert PROVIDER.error(529, headers, b"", [], now_s=nobody_knows).error_type == "provider_overloaded"


def test_when_to_come_back_is_told_by_our_clock_where_the_provider_names_no_time() -> None:
    headers = {"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT"}
    assert PROVIDER.error(429, headers, b"", [], now_s=NOW_S).retry_after_s == 20.0
