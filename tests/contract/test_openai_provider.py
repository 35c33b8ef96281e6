"""The official OpenAI SDK against a live gateway whose provider does what a test tells it to."""

from __future__ import annotations

import asyncio

import openai
import pytest
from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam

from tests.contract.conftest import IMPATIENT, IN_A_HURRY, PROVIDER_KEY
from tests.fakes.clients import post
from tests.fakes.gateway import LiveGateway
from tests.fakes.provider.server import FakeLLM
from tests.polling import eventually, until

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hello"}]

SOON_S = 5.0
"""For what is promised within a second: the promise, and room for a machine that is busy with other things."""


def test_answer_passes_through(client: openai.OpenAI, upstream: FakeLLM) -> None:
    answer = client.chat.completions.create(model="openai/ok-7-tokens", messages=HELLO)

    assert answer.id == "chatcmpl-fake"
    assert answer.usage
    assert answer.usage.completion_tokens == FakeLLM.usage("ok-7-tokens").output_tokens
    assert upstream.requests[-1].model == "ok-7-tokens"


def test_unknown_members_pass_through_as_they_were_written(client: openai.OpenAI, upstream: FakeLLM) -> None:
    client.chat.completions.create(
        model="openai/ok",
        messages=HELLO,
        temperature=1.0,
        extra_body={"future_option": {"level": 2.50, "list": [None]}},
    )

    received = upstream.requests[-1]
    assert received.json["future_option"] == {"level": 2.5, "list": [None]}
    assert b"1.0" in received.body


def test_provider_gets_its_own_key_and_no_header_of_the_caller(
    client: openai.OpenAI, gateway: LiveGateway, upstream: FakeLLM
) -> None:
    client.chat.completions.create(
        model="openai/ok",
        messages=HELLO,
        extra_headers={
            "cookie": "session=1",
            "x-forwarded-for": "10.0.0.1",
            "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "baggage": "user=1",
        },
    )

    headers = upstream.requests[-1].headers
    assert headers["authorization"] == f"Bearer {PROVIDER_KEY}"
    assert gateway.api_key not in str(headers)
    assert not {"cookie", "x-forwarded-for", "traceparent", "baggage", "x-stainless-lang"} & set(headers)


def test_caller_gets_rate_limit_headers_and_nothing_of_our_account(client: openai.OpenAI) -> None:
    headers = client.chat.completions.with_raw_response.create(model="openai/ok", messages=HELLO).headers

    assert headers["x-ratelimit-remaining-requests"] == "41"
    assert not {"set-cookie", "openai-organization"} & set(headers)


@pytest.mark.parametrize("script", ["ok-40-tokens", "one-byte-slices", "crlf", "comments", "unicode"])
def test_stream_arrives_whole_however_it_was_cut_into_packets(client: openai.OpenAI, script: str) -> None:
    whole = client.chat.completions.create(model=f"openai/{script}", messages=HELLO)

    with client.chat.completions.create(model=f"openai/{script}", messages=HELLO, stream=True) as stream:
        chunks = list(stream)

    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert not [chunk for chunk in chunks if chunk.usage]


def test_stream_usage_is_always_requested_and_shown_only_to_callers_that_asked(
    client: openai.OpenAI, upstream: FakeLLM
) -> None:
    with client.chat.completions.create(model="openai/ok", messages=HELLO, stream=True) as stream:
        unasked = list(stream)
    assert upstream.requests[-1].json["stream_options"] == {"include_usage": True}

    with client.chat.completions.create(
        model="openai/ok", messages=HELLO, stream=True, stream_options={"include_usage": True}
    ) as stream:
        asked = list(stream)

    assert not [chunk for chunk in unasked if chunk.usage or not chunk.choices]
    assert asked[-1].usage
    assert asked[-1].usage.completion_tokens == FakeLLM.usage("ok").output_tokens


@pytest.mark.parametrize("stream", [False, True])
def test_tool_call_arrives_whole(client: openai.OpenAI, stream: bool) -> None:
    if stream:
        with client.chat.completions.stream(model="openai/tools", messages=HELLO) as events:
            for _ in events:
                pass
            message = events.get_final_completion().choices[0].message
    else:
        message = client.chat.completions.create(model="openai/tools", messages=HELLO).choices[0].message

    assert message.tool_calls
    call = message.tool_calls[0]
    assert call.type == "function"
    assert (call.id, call.function.name, call.function.arguments) == ("call_1", "weather", '{"city":"Lisbon"}')


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("script", "error", "status", "code"),
    [
        ("400-context", openai.BadRequestError, 400, "context_length_exceeded"),
        ("no-such-script", openai.NotFoundError, 404, "model_not_found"),
        ("409", openai.ConflictError, 409, "scripted"),
        ("422", openai.UnprocessableEntityError, 422, "scripted"),
        ("429", openai.RateLimitError, 429, "provider_rate_limited"),
        ("401", openai.InternalServerError, 502, "provider_auth_error"),
        ("500", openai.InternalServerError, 502, "provider_server_error"),
        ("503", openai.InternalServerError, 503, "provider_overloaded"),
        ("close-before-headers", openai.InternalServerError, 502, "provider_connection_error"),
        ("html-200", openai.InternalServerError, 502, "provider_malformed_response"),
        ("empty-200", openai.InternalServerError, 502, "provider_malformed_response"),
        ("hang", openai.InternalServerError, 504, "provider_first_chunk_timeout"),
    ],
)
def test_provider_failure_is_the_matching_sdk_error(
    client: openai.OpenAI, script: str, error: type[openai.APIStatusError], status: int, code: str, stream: bool
) -> None:
    with pytest.raises(error) as caught:
        client.chat.completions.create(
            model=f"openai/{script}",
            messages=HELLO,
            stream=stream,
            extra_headers=IMPATIENT if script == "hang" else None,
        )

    assert caught.value.status_code == status
    assert caught.value.code == code
    assert caught.value.request_id


def test_bad_request_carries_the_providers_message(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="maximum context length is 8 tokens"):
        client.chat.completions.create(model="openai/400-context", messages=HELLO)


def test_rate_limit_carries_retry_after(client: openai.OpenAI) -> None:
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model="openai/429-retry-after-2", messages=HELLO, extra_headers=IN_A_HURRY)

    assert caught.value.response.headers["retry-after"] == "2"


@pytest.mark.parametrize("script", ["cut-after-3", "rst-after-3", "stall-after-3"])
def test_broken_stream_raises_in_the_clients_loop(client: openai.OpenAI, script: str) -> None:
    seen: list[ChatCompletionChunk] = []
    with (
        client.chat.completions.create(model=f"openai/{script}", messages=HELLO, stream=True) as stream,
        pytest.raises(openai.APIError),
    ):
        seen.extend(stream)

    assert "".join(choice.delta.content or "" for chunk in seen for choice in chunk.choices) == "word0 word1 word2 "


@pytest.mark.parametrize("script", ["error-after-3", "bad-event-after-3", "error-first-event"])
def test_stream_with_an_error_event_raises(client: openai.OpenAI, script: str) -> None:
    # Where: inside the stream, or at once if the error came in the first packet and nothing had been handed on yet.
    with (
        pytest.raises(openai.APIError),
        client.chat.completions.create(model=f"openai/{script}", messages=HELLO, stream=True) as stream,
    ):
        list(stream)


@pytest.mark.parametrize("script", ["cut-after-3", "stall-after-3"])
def test_broken_stream_never_looks_finished(gateway: LiveGateway, script: str) -> None:
    answer = post(
        f"{gateway.openai_url}/chat/completions",
        json={"model": f"openai/{script}", "messages": HELLO, "stream": True},
        headers={"authorization": f"Bearer {gateway.api_key}"},
    )

    events = answer.text.strip().split("\n\n")
    assert '"error"' in events[-1]
    assert "[DONE]" not in answer.text
    assert '"finish_reason":"' not in answer.text


def test_disconnect_in_mid_stream_ends_the_call_to_the_provider(
    client: openai.OpenAI, gateway: LiveGateway, upstream: FakeLLM
) -> None:
    aborted = upstream.aborted
    with client.chat.completions.create(model="openai/paced-3000-tokens-20-ms", messages=HELLO, stream=True) as stream:
        request_id = stream.response.headers["x-request-id"]
        next(iter(stream))

    eventually(lambda: upstream.aborted == aborted + 1, deadline_s=SOON_S)
    eventually(lambda: request_id in str(gateway.records()), deadline_s=SOON_S)
    record = next(record for record in gateway.records() if record["request_id"] == request_id)
    assert (record["status"], record["outcome"], record["error_type"]) == (499, "cancelled", "caller_cancelled")


def test_disconnect_before_the_answer_ends_the_call_to_the_provider(client: openai.OpenAI, upstream: FakeLLM) -> None:
    aborted = upstream.aborted

    with pytest.raises(openai.APITimeoutError):
        client.chat.completions.create(model="openai/slow-first-30s", messages=HELLO, timeout=0.5)

    eventually(lambda: upstream.aborted == aborted + 1, deadline_s=SOON_S)


async def test_async_client_that_disconnects_ends_the_call_to_the_provider(
    async_client: openai.AsyncOpenAI, upstream: FakeLLM
) -> None:
    aborted = upstream.aborted
    async with await async_client.chat.completions.create(
        model="openai/paced-3000-tokens-20-ms", messages=HELLO, stream=True
    ) as stream:
        await anext(aiter(stream))

    await until(lambda: upstream.aborted == aborted + 1, deadline_s=SOON_S)


async def test_concurrent_calls_get_their_own_answers(async_client: openai.AsyncOpenAI) -> None:
    async def ask(tokens: int) -> int:
        answer = await async_client.chat.completions.create(model=f"openai/ok-{tokens}-tokens", messages=HELLO)
        return answer.usage.completion_tokens if answer.usage else 0

    assert await asyncio.gather(*(ask(tokens) for tokens in range(1, 41))) == list(range(1, 41))


async def test_async_client_gets_the_providers_message(async_client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="maximum context length"):
        await async_client.chat.completions.create(model="openai/400-context", messages=HELLO)


def test_request_ends_in_exactly_one_log_record_without_secrets(client: openai.OpenAI, gateway: LiveGateway) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model="openai/ok-9-tokens", messages=[{"role": "user", "content": "canary-prompt-4711"}]
    )
    request_id = raw.headers["x-request-id"]
    eventually(lambda: request_id in str(gateway.records()), deadline_s=SOON_S)

    records = [record for record in gateway.records() if record["request_id"] == request_id]
    assert len(records) == 1
    assert records[0]["trace_id"] == raw.headers["traceresponse"].split("-")[1]
    assert records[0]["output_tokens"] == 9
    everything = gateway.log.read_text()
    for secret in (gateway.api_key, PROVIDER_KEY, "canary-prompt-4711"):
        assert secret not in everything
