"""Providers that cannot be heard: they reset the connection, are silent, begin too late, hang up at the wrong moment, are not
there, or say that they are elsewhere. All of it before a byte has gone to the caller, so that another can answer."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest

from tests.campaigns import sizes
from tests.contract.faults.stage import (
    CONNECT_S,
    FALLBACK,
    FIRST_BYTE_S,
    FIRST_CHUNK_S,
    TOTAL_S,
    Reply,
    Stage,
    staged,
)
from tests.fakes.provider.server import FakeLLM

BOTH = pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
LATE_S = 2.0
"""No call outlives its time by more than this. A busy machine is forgiven as much again."""
TIMED_OUT = "provider_first_chunk_timeout"

SILENT = {
    "no-answer": "hang",
    "late-answer": "slow-first-20s",
    "dripping-headers": "drip-headers",
    "headers-and-no-more": "no-first-byte",
    "comments": "comments-forever",
}
ENDLESS = {"endless": "paced-5000-tokens-20-ms", "endless-silence": "hang"}
LONG_WISHES = {"x-gatewayz-timeout": "9999", "x-gatewayz-first-chunk-timeout": "9999"}
CASES = [(name, stream) for name in SILENT for stream in (False, True) if stream or name != "comments"]
EACH = pytest.mark.parametrize(("name", "stream"), CASES)


@pytest.fixture(scope="module")
def silent(shared: Stage) -> dict[tuple[str, bool, bool], tuple[str, Future[Reply]]]:
    """All at once, with a fallback and without: each costs the patience that is measured."""
    asked: dict[tuple[str, bool, bool], tuple[str, Future[Reply]]] = {}
    for name, stream in CASES:
        for with_fallback in (False, True):
            model = shared.fresh(SILENT[name])
            wish: dict[str, Any] = {"models": FALLBACK} if with_fallback else {}
            asked[name, stream, with_fallback] = model, shared.begin(f"openai/{model}", stream=stream, **wish)
    for name, script in ENDLESS.items():
        model = shared.fresh(script)
        asked[name, True, False] = model, shared.begin(f"openai/{model}", stream=True, headers=LONG_WISHES)
    return asked


@EACH
def test_silent_provider_times_out_once_and_the_fallback_answers(
    stage: Stage, silent: dict[tuple[str, bool, bool], tuple[str, Future[Reply]]], name: str, stream: bool
) -> None:
    model, future = silent[name, stream, True]
    reply = future.result()

    assert (reply.status, reply.provider) == (200, "groq")
    failed, answered = stage.tried(reply)
    assert failed[:2] == ("openai", "first")
    assert failed[2] == (
        TIMED_OUT if stream or name in ("no-answer", "late-answer", "dripping-headers") else "provider_idle_timeout"
    )
    assert answered == ("groq", "fallback", None)
    assert reply.seconds < (FIRST_CHUNK_S if stream else FIRST_BYTE_S) + 2 * LATE_S
    assert stage.asked("openai", model) == 1


@EACH
def test_silent_provider_without_a_fallback_is_a_504(
    stage: Stage, silent: dict[tuple[str, bool, bool], tuple[str, Future[Reply]]], name: str, stream: bool
) -> None:
    model, future = silent[name, stream, False]
    reply = future.result()

    assert reply.status == 504
    assert reply.error["code"] == stage.tried(reply)[0][2]
    assert len(stage.tried(reply)) == 1
    assert reply.seconds < (FIRST_CHUNK_S if stream else FIRST_BYTE_S) + 2 * LATE_S
    assert stage.asked("openai", model) == 1
    assert stage.server(reply)["gatewayz.outcome"] == "provider_error"


@BOTH
@pytest.mark.parametrize("script", ["rst-before-headers", "close-before-headers"])
@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_connection_closed_before_the_headers_is_retried_once(
    stage: Stage, provider: str, script: str, stream: bool
) -> None:
    model = stage.fresh(script)
    alone = stage.ask(f"{provider}/{model}", stream=stream)

    assert alone.status == 502
    assert stage.tried(alone) == [(provider, reason, "provider_connection_error") for reason in ("first", "retry")]
    # On a connection that was used before, a provider may just have hung up: that one is replaced unseen.
    assert 2 <= stage.asked(provider, model) <= 4

    reply = stage.ask(f"{provider}/{stage.fresh(script)}", stream=stream, models=FALLBACK)
    assert (reply.status, reply.provider) == (200, "groq")
    assert [one[:2] for one in stage.tried(reply)] == [(provider, "first"), (provider, "retry"), ("groq", "fallback")]


@pytest.mark.parametrize("provider", ["openai", "anthropic", "gemini"])
def test_nothing_is_retried_after_the_first_byte(stage: Stage, provider: str) -> None:
    model = stage.fresh("rst-after-1")
    reply = stage.ask(f"{provider}/{model}", stream=True, models=FALLBACK)

    assert stage.tried(reply) == [(provider, "first", "provider_stream_cut")]
    assert stage.asked(provider, model) == 1


def test_call_ends_within_the_callers_own_timeout(stage: Stage) -> None:
    models = [f"groq/{stage.fresh('hang')}", f"anthropic/{stage.fresh('hang')}"]
    reply = stage.ask(f"openai/{stage.fresh('hang')}", models=models, headers={"x-gatewayz-timeout": "0.7"})

    assert reply.status == 504
    assert 0.6 < reply.seconds < 0.7 + 2 * LATE_S


def test_callers_timeout_never_exceeds_the_operators(
    stage: Stage, silent: dict[tuple[str, bool, bool], tuple[str, Future[Reply]]]
) -> None:
    """A stream that never falls silent ends all the same."""
    hanging = silent["endless-silence", True, False][1].result()
    assert hanging.status == 504
    assert hanging.seconds < FIRST_CHUNK_S + 2 * LATE_S
    reply = silent["endless", True, False][1].result()
    assert TOTAL_S * 0.9 < reply.seconds < TOTAL_S + 2 * LATE_S
    assert reply.last_error["code"] == "provider_idle_timeout"
    assert "[DONE]" not in reply.text


@BOTH
def test_refused_connection_falls_back(stage: Stage, stream: bool) -> None:
    reply = stage.ask(f"together/{stage.fresh('x')}", models=FALLBACK, stream=stream)

    assert reply.provider == "groq"
    assert stage.tried(reply) == [
        ("together", "first", "provider_connection_error"),
        ("together", "retry", "provider_connection_error"),
        ("groq", "fallback", None),
    ]
    assert stage.ask(f"together/{stage.fresh('x')}").status == 502


@BOTH
def test_unknown_host_name_falls_back(stage: Stage, stream: bool) -> None:
    """However long the machine's resolver takes to say so."""
    reply = stage.ask(f"deepseek/{stage.fresh('x')}", models=FALLBACK, stream=stream)

    assert reply.provider == "groq"
    *failed, answered = stage.tried(reply)
    assert {error for _, _, error in failed} <= {"provider_connection_error", "provider_connect_timeout"}
    assert answered[0] == "groq"
    assert reply.seconds < 2 * CONNECT_S + 2 * LATE_S


@BOTH
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_not_followed(stage: Stage, status: int, stream: bool) -> None:
    """Neither to the cloud's metadata nor to anywhere else, and no credential goes there."""
    with FakeLLM.in_thread() as trap:
        for place in ("169.254.169.254", f"127.0.0.1:{trap.port}"):
            reply = stage.ask(f"openai/{stage.fresh(f'redirect-{status}-{place}')}", models=FALLBACK, stream=stream)
            assert (reply.status, reply.provider) == (200, "groq")
            assert stage.tried(reply)[0] == ("openai", "first", "provider_malformed_response")
            assert "169.254" not in str(reply.headers)
        alone = stage.ask(f"openai/{stage.fresh(f'redirect-{status}-127.0.0.1:{trap.port}')}", stream=stream)
        assert (alone.status, "location" in alone.headers) == (502, False)
        assert trap.connections == 0


@pytest.mark.parametrize("rounds", sizes(4, 40))
def test_connections_that_a_provider_drops_as_they_are_used_fail_no_call(
    tmp_path_factory: pytest.TempPathFactory, rounds: int
) -> None:
    """The provider drops connections after 0.2 s of rest; calls come after 0.19 to 0.21 s, fifty at a time."""
    idle_s, lanes = 0.2, 50
    patient = {"GATEWAYZ_FIRST_BYTE_TIMEOUT_S": "30", "GATEWAYZ_FIRST_CHUNK_TIMEOUT_S": "30"}
    with staged(tmp_path_factory.mktemp("idle"), **patient) as stage:
        fake = stage.fakes["openai"]
        fake.idle_s = idle_s
        answers = [
            answer
            for turn in range(rounds)
            for answer in stage.storm(
                lanes,
                "openai/ok-2-tokens",
                pause_s=lambda lane: idle_s * (0.95 + 0.1 * ((lane * 7 + turn) % 21) / 20),  # noqa: B023 - asked at once
                stream=bool(turn % 2),
            )
        ]

        assert {(one.status, one.provider) for one in answers} == {(200, "openai")}
        assert fake.dropped > 0  # or nothing was tested
        # Nobody was asked twice: a request that was lost with its connection never arrived.
        assert fake.served["ok-2-tokens"] == len(answers) == lanes * rounds
        stage.is_well()
