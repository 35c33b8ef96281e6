"""Anthropic's own client against the gateway: providers that speak its wire, and one that does not."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import anthropic
import openai
import orjson
import pytest
from openai.types.chat import ChatCompletionChunk

from tests.fakes.clients import anthropic_client, openai_client
from tests.fakes.gateway import LiveGateway, running_gateway
from tests.fakes.provider.exchange import Script, streamed, whole
from tests.fakes.provider.server import FakeLLM, Received

MODEL = "claude-sonnet-5"
HELLO: Any = [{"role": "user", "content": "Hello"}]
SCHEMA: Any = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOL: Any = {"name": "get_weather", "description": "Tells the weather.", "input_schema": SCHEMA}
IMAGE: Any = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
MESSAGE: Any = {
    "id": "msg_theirs",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-5-20260801",
    "content": [{"type": "text", "text": "Grüß dich 🙂"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 5, "cache_read_input_tokens": 7, "cache_creation_input_tokens": 0, "output_tokens": 3},
    "novelty": {"kept": 1.0},
}


def named(kind: str, **members: Any) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + orjson.dumps({"type": kind, **members}) + b"\n\n"


STREAM = [
    named("message_start", message={**MESSAGE, "content": [], "stop_reason": None}),
    named("content_block_start", index=0, content_block={"type": "text", "text": ""}),
    named("ping"),
    named("content_block_delta", index=0, delta={"type": "text_delta", "text": "Grüß "}),
    named("content_block_delta", index=0, delta={"type": "text_delta", "text": "dich 🙂"}),
    named("content_block_stop", index=0),
    named("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage={"output_tokens": 3}),
    named("message_stop"),
]


def script(received: Received, _: str) -> Script:
    """Stands in for Anthropic: a whole answer or a stream, and a fault where the system prompt asks for one."""
    system = received.json.get("system")
    if received.path.endswith("/count_tokens"):
        return whole(b"<html>", 404) if system == "no counter" else whole(b'{"input_tokens": 77}')
    match system:
        case "refuse":
            error = {"type": "invalid_request_error", "message": "messages: too dull"}
            return whole(orjson.dumps({"type": "error", "error": error}), 400)
        case "cut":
            return streamed(STREAM[:5])
        case "overload":
            error = named("error", error={"type": "overloaded_error", "message": "Overloaded"})
            return streamed([*STREAM[:4], error])
        case _ if received.json.get("stream"):
            return streamed(STREAM)
        case _:
            return whole(orjson.dumps(MESSAGE))


@pytest.fixture(scope="module")
def theirs() -> Generator[FakeLLM]:
    with FakeLLM.in_thread(scripts=script) as fake:
        yield fake


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, theirs: FakeLLM) -> Generator[LiveGateway]:
    environment = {
        "ANTHROPIC_BASE_URL": theirs.base_url,
        "ANTHROPIC_API_KEY": "sk-ant-theirs",
        "GATEWAYZ_DEMO_PACE_S": "0.001",
    }
    with running_gateway(tmp_path_factory.mktemp("messages"), environment) as one:
        yield one


@pytest.fixture
def claude(live: LiveGateway) -> Generator[anthropic.Anthropic]:
    with anthropic_client(live) as client:
        yield client


@pytest.fixture
def chat(live: LiveGateway) -> Generator[openai.OpenAI]:
    with openai_client(live) as client:
        yield client


def created(claude: anthropic.Anthropic, asked: dict[str, Any]) -> anthropic.types.Message:
    """A whole answer; the client's overloads tell nothing of members that come in a dictionary."""
    create: Any = claude.messages.create
    answer = create(**asked)
    assert isinstance(answer, anthropic.types.Message)
    return answer


def test_same_wire_passes_request_and_answer_through_unchanged(claude: anthropic.Anthropic, theirs: FakeLLM) -> None:
    answer = claude.messages.create(model=MODEL, max_tokens=9, messages=HELLO, extra_body={"top_k": 5, "news": [1]})
    assert answer.to_dict(mode="json") == MESSAGE
    request_id: Any = getattr(answer, "_request_id")  # the SDK documents it, underscore and all  # noqa: B009
    assert request_id.startswith("req_")
    assert theirs.last.json == {"model": MODEL, "max_tokens": 9, "messages": HELLO, "top_k": 5, "news": [1]}
    assert theirs.last.headers["x-api-key"] == "sk-ant-theirs"
    assert theirs.last.headers["anthropic-version"] == claude.default_headers["anthropic-version"]
    with claude.messages.with_streaming_response.create(model=MODEL, max_tokens=9, messages=HELLO, stream=True) as raw:
        assert b"".join(raw.iter_bytes()) == b"".join(STREAM)


def test_chat_call_is_answered_by_an_anthropic_model(chat: openai.OpenAI, theirs: FakeLLM) -> None:
    answer = chat.chat.completions.create(model=MODEL, messages=HELLO)
    assert answer.choices[0].message.content == "Grüß dich 🙂"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (12, 3)
    assert theirs.last.json == {"model": MODEL, "max_tokens": 32_000, "messages": HELLO}
    chunks = list(
        chat.chat.completions.create(model=MODEL, messages=HELLO, stream=True, stream_options={"include_usage": True})
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "Grüß dich 🙂"
    assert chunks[-1].usage == answer.usage


def test_chat_member_without_an_equal_is_refused_by_name(chat: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        chat.chat.completions.create(model=MODEL, messages=HELLO, logprobs=True)
    assert refused.value.param == "logprobs"


def test_provider_error_comes_in_the_callers_shape(claude: anthropic.Anthropic, chat: openai.OpenAI) -> None:
    with pytest.raises(anthropic.BadRequestError) as refused:
        claude.messages.create(model=MODEL, max_tokens=9, messages=HELLO, system="refuse")
    body: Any = refused.value.body
    assert body["error"] == {"type": "invalid_request_error", "message": "messages: too dull"}
    with pytest.raises(openai.BadRequestError, match="too dull"):
        chat.chat.completions.create(model=MODEL, messages=[{"role": "system", "content": "refuse"}, *HELLO])


@pytest.mark.parametrize(("fault", "kind"), [("cut", "api_error"), ("overload", "overloaded_error")])
def test_failed_stream_ends_in_an_error(
    claude: anthropic.Anthropic, chat: openai.OpenAI, fault: str, kind: str
) -> None:
    with (
        pytest.raises(anthropic.APIStatusError) as failed,
        # A model of its own for each fault: circuit breakers are per model.
        claude.messages.stream(model=f"claude-{fault}", max_tokens=9, messages=HELLO, system=fault) as stream,
    ):
        stream.until_done()
    body: Any = failed.value.body
    assert body["error"]["type"] == kind
    reasons: list[str | None] = []
    with pytest.raises(openai.APIError):
        reasons.extend(chunk.choices[0].finish_reason for chunk in chat_chunks(chat, fault))
    assert not any(reasons)


def chat_chunks(chat: openai.OpenAI, fault: str) -> Generator[ChatCompletionChunk]:
    messages: Any = [{"role": "system", "content": fault}, *HELLO]
    yield from chat.chat.completions.create(model=f"claude-{fault}", messages=messages, stream=True)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("task", ["text", "tools", "schema", "image"])
def test_messages_call_is_answered_by_a_provider_of_another_wire(
    claude: anthropic.Anthropic, task: str, stream: bool
) -> None:
    asked: dict[str, Any] = {"model": "demo/fast", "max_tokens": 500, "messages": HELLO}
    match task:
        case "tools":
            asked |= {"tools": [TOOL], "tool_choice": {"type": "any"}}
        case "schema":
            asked |= {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}
        case "image":
            asked |= {"messages": [{"role": "user", "content": [IMAGE, {"type": "text", "text": "What is it?"}]}]}
        case _:
            pass
    if stream:
        with claude.messages.stream(**asked) as played:
            answer = played.get_final_message()
    else:
        answer = created(claude, asked)
    first = answer.content[0]
    assert answer.usage.input_tokens > 0
    assert answer.usage.output_tokens > 0
    if task == "tools":
        assert first.type == "tool_use"
        assert (answer.stop_reason, first.name, set(first.input)) == ("tool_use", "get_weather", {"city"})
    else:
        assert first.type == "text"
        assert answer.stop_reason == "end_turn"
        assert task != "schema" or set(orjson.loads(first.text)) == {"city"}


def test_tool_results_go_back_and_forth(claude: anthropic.Anthropic) -> None:
    asked: Any = {"model": "demo/fast", "max_tokens": 500, "tools": [TOOL]}
    first = created(claude, {**asked, "messages": HELLO, "tool_choice": {"type": "any"}})
    call = first.content[0]
    assert call.type == "tool_use"
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "It rains."}
    messages: Any = [*HELLO, first.to_param(), {"role": "user", "content": [result]}]
    second = created(claude, {**asked, "messages": messages})
    assert second.content[0].type == "text"


def test_thinking_is_shown_to_callers_that_ask_for_it(claude: anthropic.Anthropic) -> None:
    asked: Any = {"model": "demo/thinker", "max_tokens": 500, "messages": HELLO}
    assert [block.type for block in created(claude, asked).content] == ["text"]
    with claude.messages.stream(**asked, thinking={"type": "adaptive"}) as stream:
        assert [block.type for block in stream.get_final_message().content] == ["thinking", "text"]


def test_tokens_are_counted_by_the_provider_or_estimated(claude: anthropic.Anthropic, theirs: FakeLLM) -> None:
    raw = claude.messages.with_raw_response.count_tokens(model=MODEL, messages=HELLO)
    assert (raw.parse().input_tokens, raw.headers["x-gatewayz-usage-source"]) == (77, "provider")
    assert (theirs.last.path, theirs.last.json) == ("/v1/messages/count_tokens", {"model": MODEL, "messages": HELLO})
    for asked in ({"model": "demo/fast"}, {"model": MODEL, "system": "no counter"}):
        members: Any = asked
        raw = claude.messages.with_raw_response.count_tokens(**members, messages=HELLO)
        assert raw.headers["x-gatewayz-usage-source"] == "estimate"
        assert 0 < raw.parse().input_tokens < 77
    with pytest.raises(anthropic.NotFoundError):
        claude.messages.count_tokens(model="nobody's", messages=HELLO)


@pytest.mark.parametrize("reach", ["header", "models"])
def test_tokens_are_counted_for_a_model_that_only_the_routing_options_reach(
    claude: anthropic.Anthropic, theirs: FakeLLM, reach: str
) -> None:
    options: Any = (
        {"extra_headers": {"x-gatewayz-provider": "anthropic"}}
        if reach == "header"
        else {"extra_body": {"models": [f"anthropic/{MODEL}"]}}
    )
    raw = claude.messages.with_raw_response.count_tokens(model="nobody's", messages=HELLO, **options)
    assert (raw.parse().input_tokens, raw.headers["x-gatewayz-usage-source"]) == (77, "provider")
    model = "nobody's" if reach == "header" else MODEL
    assert (theirs.last.path, theirs.last.json) == ("/v1/messages/count_tokens", {"model": model, "messages": HELLO})


def test_unknown_key_is_refused_in_anthropics_shape(live: LiveGateway) -> None:
    with (
        anthropic_client(live, api_key="gz_stranger") as client,
        pytest.raises(anthropic.AuthenticationError) as refused,
    ):
        client.messages.create(model=MODEL, max_tokens=9, messages=HELLO)
    body: Any = refused.value.body
    assert (body["type"], body["error"]["type"]) == ("error", "authentication_error")
    assert body["request_id"] == refused.value.request_id
