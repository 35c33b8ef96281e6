"""Bodies under status 200 that are no answer, have no end, or are compressed."""

from __future__ import annotations

import json

import pytest

from tests.contract.faults.stage import FALLBACK, IDLE_S, Stage
from tests.contract.faults.worker import resident_mb

BOTH = pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
MALFORMED = "provider_malformed_response"
CUT = "provider_stream_cut"

NO_ANSWERS = {
    "html-200": MALFORMED,
    "empty-200": MALFORMED,
    "bad-json-200": MALFORMED,
    "not-http": MALFORMED,
    "short-body": CUT,
    "unlabelled-gzip": MALFORMED,
}
WRONG_SHAPES = [
    "[]",
    "null",
    "7",
    '"text"',
    "{}",
    '{"choices":[]}',
    '{"choices":null}',
    '{"choices":[{}]}',
    '{"choices":"none"}',
    '{"object":"chat.completion"}',
]


@BOTH
@pytest.mark.parametrize("provider", ["openai", "anthropic", "gemini"])
@pytest.mark.parametrize("script", NO_ANSWERS)
def test_malformed_answer_falls_back(stage: Stage, provider: str, script: str, stream: bool) -> None:
    reply = stage.ask(f"{provider}/{stage.fresh(script)}", stream=stream, models=FALLBACK)

    assert (reply.status, reply.provider) == (200, "groq")
    *failed, answered = stage.tried(reply)
    assert answered == ("groq", "fallback", None)
    assert {one[0] for one in failed} == {provider}
    assert {one[2] for one in failed} <= {NO_ANSWERS[script], CUT}
    assert reply.seconds < IDLE_S + 5  # and not the hour for which some of them say nothing


@BOTH
@pytest.mark.parametrize("script", NO_ANSWERS)
def test_malformed_answer_without_a_fallback_is_a_502(stage: Stage, script: str, stream: bool) -> None:
    reply = stage.ask(f"openai/{stage.fresh(script)}", stream=stream)

    assert reply.status == 502
    assert "text/event-stream" not in reply.headers["content-type"]
    assert "<html>" not in reply.text
    tried = stage.tried(reply)
    assert tried[0][:2] == ("openai", "first")
    assert reply.error["code"] == tried[-1][2]
    told = stage.server(reply)
    assert told["gatewayz.outcome"] == "provider_error"
    assert [one["gatewayz.provider.name"] for one in stage.spans(reply)] == ["openai"] * len(tried)


@pytest.mark.parametrize("shape", WRONG_SHAPES)
def test_json_of_another_shape_falls_back(stage: Stage, shape: str) -> None:
    alone = stage.ask(f"openai/{stage.fresh(f'says-{shape}')}")
    assert (alone.status, alone.error["code"]) == (502, MALFORMED)

    reply = stage.ask(f"openai/{stage.fresh(f'says-{shape}')}", models=FALLBACK)
    assert (reply.status, reply.provider) == (200, "groq")
    assert stage.tried(reply) == [("openai", "first", MALFORMED), ("groq", "fallback", None)]


@pytest.mark.parametrize("shape", ["[]", "null", "{}", '{"content":null}', '{"candidates":[]}', '{"candidates":null}'])
@pytest.mark.parametrize("provider", ["anthropic", "gemini"])
def test_json_of_another_shape_falls_back_on_the_other_wires(stage: Stage, provider: str, shape: str) -> None:
    reply = stage.ask(f"{provider}/{stage.fresh(f'says-{shape}')}", models=FALLBACK)

    assert stage.tried(reply) == [(provider, "first", MALFORMED), ("groq", "fallback", None)]


@BOTH
@pytest.mark.parametrize(
    ("error", "error_type"),
    [
        ('{"message":"upstream is busy","code":429}', "provider_rate_limited"),
        ('{"message":"no capacity","type":"overloaded_error"}', "provider_overloaded"),
        ('{"message":"it broke"}', "provider_server_error"),
    ],
)
def test_error_object_under_status_200_is_an_error(stage: Stage, error: str, error_type: str, stream: bool) -> None:
    script = f'says-{{"error":{error}}}'
    alone = stage.ask(f"openai/{stage.fresh(script)}", stream=stream)
    assert (alone.status >= 429, alone.error["code"]) == (True, error_type)
    assert "busy" not in alone.text

    reply = stage.ask(f"openai/{stage.fresh(script)}", models=FALLBACK, stream=stream)
    assert (reply.status, reply.provider) == (200, "groq")
    assert stage.tried(reply)[0] == ("openai", "first", error_type)


ENDLESS = [
    ("endless-body", False, MALFORMED),
    ("gzip-bomb", False, MALFORMED),
    ("endless-comments", True, MALFORMED),
    ("endless-event", True, MALFORMED),
]


@pytest.mark.parametrize(("script", "stream", "error_type"), ENDLESS, ids=[one[0] for one in ENDLESS])
def test_endless_answer_is_given_up_before_it_fills_the_memory(
    stage: Stage, script: str, stream: bool, error_type: str
) -> None:
    stage.is_well()
    before_mb = resident_mb(stage.gateway.pid)
    replies = [stage.ask(f"openai/{stage.fresh(script)}", stream=stream) for _ in range(2)]

    assert {one.status for one in replies} == {502}
    for reply in replies:
        assert {one[2] for one in stage.tried(reply)} == {error_type}
    assert resident_mb(stage.gateway.pid) - before_mb < 64
    assert stage.ask(f"openai/{stage.fresh(script)}", stream=stream, models=FALLBACK).provider == "groq"


@pytest.mark.parametrize("packed", ["gzip", "deflate", "raw-deflate"])
def test_compressed_answer_is_decompressed(stage: Stage, packed: str) -> None:
    """Although nobody has asked for it: what we accept is ``identity``."""
    model = stage.fresh(packed)
    reply = stage.ask(f"openai/{model}")

    assert reply.status == 200
    assert json.loads(reply.body)["choices"][0]["message"]["content"].startswith("hello")
    assert "content-encoding" not in reply.headers
    assert stage.tried(reply) == [("openai", "first", None)]
    (sent,) = [one for one in stage.fakes["openai"].requests if one.model == model]
    assert sent.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("packed", ["br", "zstd"])
def test_answer_in_an_unknown_compression_falls_back(stage: Stage, packed: str) -> None:
    """Where the libraries for it are installed, it can."""
    reply = stage.ask(f"openai/{stage.fresh(packed)}")

    if reply.status == 200:
        assert json.loads(reply.body)["choices"][0]["message"]["content"].startswith("hello")
    else:
        assert (reply.status, reply.error["code"]) == (502, MALFORMED)
        assert stage.ask(f"openai/{stage.fresh(packed)}", models=FALLBACK).provider == "groq"


@BOTH
@pytest.mark.parametrize("script", ["not-gzip", "not-deflate", "not-br", "not-zstd", "cut-gzip"])
def test_answer_that_is_not_in_its_declared_compression_falls_back(stage: Stage, script: str, stream: bool) -> None:
    reply = stage.ask(f"openai/{stage.fresh(script)}", stream=stream)

    assert reply.status == 502
    assert {one[2] for one in stage.tried(reply)} <= {MALFORMED, CUT}
    with_fallback = stage.ask(f"openai/{stage.fresh(script)}", models=FALLBACK, stream=stream)
    assert (with_fallback.status, with_fallback.provider) == (200, "groq")
