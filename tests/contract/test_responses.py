"""OpenAI's own client against the gateway's Responses and older completions: a provider that has the former itself, and one that
speaks only chat."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any

import openai
import orjson
import pytest

from tests.contract.conftest import IN_A_HURRY
from tests.fakes.clients import openai_client
from tests.fakes.gateway import LiveGateway, running_gateway
from tests.fakes.provider.exchange import Script, streamed, whole
from tests.fakes.provider.server import FakeLLM, Received

PIXEL = "data:image/png;base64,iVBORw0KGgo="
SCHEMA: Any = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOL: Any = {
    "type": "function",
    "name": "get_weather",
    "description": "Tells it.",
    "parameters": SCHEMA,
    "strict": True,
}
NONE: list[Any] = []
RESPONSE: Any = {
    "id": "resp_theirs",
    "object": "response",
    "created_at": 1_700_000_000,
    "model": "gpt-theirs",
    "status": "completed",
    "error": None,
    "incomplete_details": None,
    "instructions": None,
    "output": [
        {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "x"}},
        {
            "id": "msg_1",
            "type": "message",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Grüß dich 🙂", "annotations": NONE, "logprobs": NONE}],
        },
    ],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": NONE,
    "usage": {
        "input_tokens": 12,
        "input_tokens_details": {"cached_tokens": 7, "cache_write_tokens": 0},
        "output_tokens": 3,
        "output_tokens_details": {"reasoning_tokens": 1},
        "total_tokens": 15,
    },
    "novelty": {"kept": 1.0},
}


def named(kind: str, number: int, **members: Any) -> bytes:
    data = orjson.dumps({"type": kind, "sequence_number": number, **members})
    return b"event: " + kind.encode() + b"\ndata: " + data + b"\n\n"


BEGUN = {**RESPONSE, "status": "in_progress", "output": NONE, "usage": None}
SEARCH, MESSAGE = RESPONSE["output"]
PART = MESSAGE["content"][0]
AT = {"item_id": "msg_1", "output_index": 1, "content_index": 0}
STREAM = [
    named("response.created", 0, response=BEGUN),
    named("response.in_progress", 1, response=BEGUN),
    named("response.output_item.added", 2, output_index=0, item=SEARCH),
    named("response.output_item.done", 3, output_index=0, item=SEARCH),
    named("response.output_item.added", 4, output_index=1, item={**MESSAGE, "content": []}),
    named("response.content_part.added", 5, **AT, part={**PART, "text": ""}),
    named("response.output_text.delta", 6, **AT, delta="Grüß dich ", logprobs=[]),
    named("response.output_text.delta", 7, **AT, delta="🙂", logprobs=[]),
    named("response.output_text.done", 8, **AT, text=PART["text"], logprobs=[]),
    named("response.content_part.done", 9, **AT, part=PART),
    named("response.output_item.done", 10, output_index=1, item=MESSAGE),
    named("response.completed", 11, response=RESPONSE),
]
FAILED = {**RESPONSE, "status": "failed", "error": {"code": "server_error", "message": "It broke, says sk-theirs."}}


def script(received: Received, _: str) -> Script:
    """Stands in for OpenAI: a whole answer or a stream, and a fault where the instructions ask for one."""
    match received.json.get("instructions"):
        case "refuse":
            error = {"message": "input: too dull", "type": "invalid_request_error", "param": "input", "code": None}
            return whole(orjson.dumps({"error": error}), 400)
        case "fail":
            return whole(orjson.dumps(FAILED))
        case "cut":
            return streamed(STREAM[:8])
        case "break":
            return streamed([*STREAM[:8], named("response.failed", 8, response=FAILED)])
        case _ if received.json.get("stream"):
            return streamed(STREAM)
        case _:
            return whole(orjson.dumps(RESPONSE))


@pytest.fixture(scope="module")
def theirs() -> Generator[FakeLLM]:
    with FakeLLM.in_thread(scripts=script) as fake:
        yield fake


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, theirs: FakeLLM) -> Generator[LiveGateway]:
    environment = {
        "OPENAI_BASE_URL": theirs.base_url,
        "OPENAI_API_KEY": "sk-theirs",
        "GATEWAYZ_DEMO_PACE_S": "0.001",
    }
    with running_gateway(tmp_path_factory.mktemp("responses"), environment) as one:
        yield one


@pytest.fixture
def client(live: LiveGateway) -> Generator[openai.OpenAI]:
    with openai_client(live) as one:
        yield one


def heard(stream: Iterable[Any]) -> tuple[str, openai.APIError]:
    """What a stream said before it failed, and how it did."""
    said = ""
    try:
        for event in stream:
            assert event.type != "response.completed"
            said += event.delta if event.type == "response.output_text.delta" else ""
    except openai.APIError as error:
        return said, error
    pytest.fail("the stream ended as if it were whole")


class TestTheSameWire:
    def test_request_and_answer_pass_through_unchanged(self, client: openai.OpenAI, theirs: FakeLLM) -> None:
        asked: Any = {
            "previous_response_id": "resp_0", "store": True, "tools": [{"type": "web_search"}], "extra_body": {"news": [1]},
        }  # fmt: skip
        create: Any = client.responses.create
        answer = create(model="openai/gpt-5", input="hi", **asked)
        assert answer.to_dict(mode="json") == RESPONSE
        assert theirs.last.path == "/v1/responses"
        expected = {
            "model": "gpt-5",
            "input": "hi",
            "news": [1],
            **{k: v for k, v in asked.items() if k != "extra_body"},
        }
        assert theirs.last.json == expected
        with client.responses.with_streaming_response.create(model="gpt-5", input="hi", stream=True) as raw:
            assert b"".join(raw.iter_bytes()) == b"".join(STREAM)

    def test_sdk_accumulates_the_stream(self, client: openai.OpenAI) -> None:
        with client.responses.stream(model="gpt-5", input="hi") as stream:
            assert stream.get_final_response().output_text == "Grüß dich 🙂"

    def test_provider_error_is_forwarded(self, client: openai.OpenAI) -> None:
        with pytest.raises(openai.BadRequestError, match="too dull") as refused:
            client.responses.create(model="gpt-5", input="hi", instructions="refuse")
        assert refused.value.param == "input"

    def test_failed_response_under_status_200_is_an_error(self, client: openai.OpenAI) -> None:
        with pytest.raises(openai.APIStatusError) as failed:
            client.responses.create(model="gpt-5", input="hi", instructions="fail")
        assert failed.value.status_code >= 500
        assert "sk-theirs" not in failed.value.message

    def test_cut_stream_ends_in_an_error(self, client: openai.OpenAI) -> None:
        with client.responses.stream(model="gpt-5", input="hi", instructions="cut") as stream:
            said, _ = heard(stream)
        assert said == "Grüß dich 🙂"

    def test_failed_stream_ends_in_an_error_without_the_providers_text(self, client: openai.OpenAI) -> None:
        """Before or after it has begun: that depends on how its events fall into packets."""
        with (
            pytest.raises(openai.APIError) as failed,
            client.responses.stream(model="gpt-5", input="hi", instructions="break") as stream,
        ):
            stream.until_done()
        assert "sk-theirs" not in failed.value.message


class TestAProviderOfChat:
    @pytest.mark.parametrize("stream", [True, False])
    @pytest.mark.parametrize("task", ["text", "tools", "schema", "image", "reasoning"])
    def test_answer_is_what_openai_would_send(self, client: openai.OpenAI, task: str, stream: bool) -> None:
        asked: dict[str, Any] = {"model": "demo/fast", "input": "Hello", "max_output_tokens": 500}
        match task:
            case "tools":
                asked |= {"tools": [TOOL], "tool_choice": "required"}
            case "schema":
                asked |= {"text": {"format": {"type": "json_schema", "name": "city", "schema": SCHEMA, "strict": True}}}
            case "image":
                parts = [{"type": "input_image", "image_url": PIXEL}, {"type": "input_text", "text": "What is it?"}]
                asked |= {"input": [{"role": "user", "content": parts}]}
            case "reasoning":
                asked |= {"model": "demo/thinker", "reasoning": {"effort": "low", "summary": "auto"}}
            case _:
                pass
        if stream:
            with client.responses.stream(**asked) as played:
                answer: Any = played.get_final_response()
        else:
            create: Any = client.responses.create
            answer = create(**asked)
        assert answer.status == "completed"
        assert answer.id.startswith("resp_")
        assert answer.model == asked["model"]
        assert answer.usage.input_tokens > 0
        assert answer.usage.output_tokens > 0
        if task == "tools":
            call = answer.output[-1]
            assert (call.type, call.name) == ("function_call", "get_weather")
            assert set(orjson.loads(call.arguments)) == {"city"}
        elif task == "schema":
            assert set(orjson.loads(answer.output_text)) == {"city"}
        else:
            assert answer.output_text
        if task == "reasoning":
            assert answer.output[0].type == "reasoning"
            assert answer.output[0].summary[0].text

    def test_conversation_continues_with_the_items_that_were_answered(self, client: openai.OpenAI) -> None:
        said: Any = [{"role": "user", "content": "What is the weather in Rome?"}]
        first = client.responses.create(model="demo/fast", input=said, tools=[TOOL], tool_choice="required")
        said += [item.to_dict() for item in first.output]
        call: Any = first.output[-1]
        said.append({"type": "function_call_output", "call_id": call.call_id, "output": "Sunny"})
        second = client.responses.create(model="demo/fast", input=said, tools=[TOOL])
        assert second.output_text

    @pytest.mark.parametrize(
        ("said", "param"),
        [
            ({"previous_response_id": "resp_1"}, "previous_response_id"),
            ({"background": True}, "background"),
            ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ],
    )
    def test_member_that_needs_stored_state_or_a_hosted_tool_is_refused_by_name(
        self, client: openai.OpenAI, said: dict[str, Any], param: str
    ) -> None:
        with pytest.raises(openai.BadRequestError) as refused:
            client.responses.create(model="demo/fast", input="hi", **said)
        assert refused.value.param == param

    def test_token_limit_makes_the_response_incomplete(self, client: openai.OpenAI) -> None:
        answer = client.responses.create(model="demo/fast", input="Hello", max_output_tokens=3)
        assert answer.status == "incomplete"
        assert answer.incomplete_details is not None
        assert answer.incomplete_details.reason == "max_output_tokens"

    def test_cut_stream_ends_in_an_error(self, client: openai.OpenAI) -> None:
        with client.responses.stream(model="demo/cut", input="Hello") as stream:
            said, _ = heard(stream)
        assert said

    @pytest.mark.parametrize(("model", "status"), [("demo/error", 502), ("demo/rate-limited", 429)])
    def test_provider_error_comes_with_its_status(self, client: openai.OpenAI, model: str, status: int) -> None:
        with pytest.raises(openai.APIStatusError) as failed:
            client.responses.create(model=model, input="Hello", extra_headers=IN_A_HURRY)
        assert failed.value.status_code == status

    def test_body_that_is_not_an_object_is_refused(self, client: openai.OpenAI) -> None:
        wrong: Any = 5
        with pytest.raises(openai.BadRequestError) as refused:
            client.responses.create(model="demo/fast", input=wrong)
        assert refused.value.param == "input"


class TestCompletions:
    def test_chat_model_answers_completions(self, client: openai.OpenAI) -> None:
        whole = client.completions.create(model="demo/fast", prompt="Once", max_tokens=200)
        assert whole.choices[0].text
        assert whole.usage is not None
        assert whole.id.startswith("cmpl-")
        streamed = list(client.completions.create(model="demo/fast", prompt="Once", max_tokens=200, stream=True))
        assert "".join([choice.text for said in streamed for choice in said.choices]) == whole.choices[0].text
        assert all(said.usage is None for said in streamed)

    def test_missing_max_tokens_means_sixteen(self, client: openai.OpenAI) -> None:
        whole = client.completions.create(model="demo/fast", prompt="Once")
        assert whole.usage is not None
        assert whole.usage.completion_tokens <= 16

    def test_member_without_an_equal_in_chat_is_refused_by_name(self, client: openai.OpenAI) -> None:
        with pytest.raises(openai.BadRequestError) as refused:
            client.completions.create(model="demo/fast", prompt="Once", suffix="end")
        assert refused.value.param == "suffix"

    def test_cut_stream_ends_in_an_error(self, client: openai.OpenAI) -> None:
        with pytest.raises(openai.APIError):
            for _ in client.completions.create(model="demo/cut", prompt="Once", max_tokens=200, stream=True):
                pass
