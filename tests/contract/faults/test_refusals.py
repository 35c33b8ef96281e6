"""Providers that refuse: for a while, with or without a Retry-After; once; every time; this request; and fallbacks that do."""

from __future__ import annotations

import math
from concurrent.futures import Future
from typing import Any

import pytest

from tests.contract.faults.stage import FALLBACK, FIRST_BYTE_S, IDLE_S, Caller, Reply, Stage
from tests.fakes.provider.wires import GEMINI_RETRY_DELAY_S

BOTH = pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
LATE_S = 3.0
"""What a busy machine may take beyond the promised tenth."""

# How the provider says when to come back → the shortest time after which it may be asked again; None: it is not, in this call.
WAITS: dict[str, float | None] = {
    "2": 2.0,
    "1.5": 1.5,
    "date-4": 3.0,  # a date tells no fractions
    "ms-1200": 1.2,
    "0": 0.0,
    "-5": 0.0,
    "soon": 0.0,
    "nan": 0.0,
    "1;2": 0.0,
    "Jan -0000 9999999999 25:99:99 0": 0.0,
    "86400": None,
    "99999999999999999999": None,
    "inf": None,
    "ms-86400000": None,
}
AT_MOST_S = {"date-4": 4.0}


@pytest.fixture(scope="module")
def limited(shared: Stage) -> dict[tuple[str, bool], tuple[str, Future[Reply]]]:
    """All of them at once: they spend their time waiting."""
    asked: dict[tuple[str, bool], tuple[str, Future[Reply]]] = {}
    for form in WAITS:
        for stream in (False, True):
            model = shared.fresh(f"429-retry-after-{form}")
            asked[form, stream] = model, shared.begin(f"openai/{model}", stream=stream)
    return asked


@BOTH
@pytest.mark.parametrize("form", WAITS)
def test_retry_after_is_waited_out_or_handed_on_to_the_caller(
    stage: Stage, limited: dict[tuple[str, bool], tuple[str, Future[Reply]]], form: str, stream: bool
) -> None:
    model, future = limited[form, stream]
    reply = future.result()
    arrivals = stage.arrivals("openai", model)

    assert reply.status == 429
    assert reply.error["code"] == "provider_rate_limited"
    least = WAITS[form]
    if least is None:
        assert len(arrivals) == 1
        assert int(reply.headers["retry-after"]) == 86_400
    else:
        gap = arrivals[1] - arrivals[0]
        assert len(arrivals) == 2
        assert least * 0.99 <= gap <= 1.1 * AT_MOST_S.get(form, least) + LATE_S
        if "retry-after" in reply.headers:
            assert int(reply.headers["retry-after"]) <= math.ceil(AT_MOST_S.get(form, least))
    assert stage.tried(reply) == [
        ("openai", reason, "provider_rate_limited") for reason in ("first", "retry")[: len(arrivals)]
    ]


@BOTH
@pytest.mark.parametrize("form", WAITS)
def test_another_provider_is_asked_instead_of_waiting(stage: Stage, form: str, stream: bool) -> None:
    model = stage.fresh(f"429-retry-after-{form}")
    reply = stage.ask(f"openai/{model}", stream=stream, models=FALLBACK)

    assert (reply.status, reply.provider) == (200, "groq")
    assert stage.tried(reply)[-1] == ("groq", "fallback", None)
    arrivals = stage.arrivals("openai", model)
    assert len([one for one in arrivals if one - arrivals[0] < 1.5]) <= 2
    asked = stage.asked("openai", model)
    if (WAITS[form] or math.inf) > 1.0 and WAITS[form] != 0.0:  # nobody else is sent there before its time
        again = stage.ask(f"openai/{model}", stream=stream, models=FALLBACK)
        assert stage.tried(again) == [("groq", "first", None)]
        assert [one["gatewayz.skip.reason"] for one in stage.events(again, "gatewayz.candidate.skipped")] == [
            "rate_limited"
        ]
        assert stage.asked("openai", model) == asked


@BOTH
def test_retry_delay_in_geminis_body_is_waited_out(stage: Stage, stream: bool) -> None:
    model = stage.fresh("429")
    reply = stage.ask(f"gemini/{model}", stream=stream)

    first, second = stage.arrivals("gemini", model)
    assert GEMINI_RETRY_DELAY_S * 0.99 <= second - first <= GEMINI_RETRY_DELAY_S * 1.1 + LATE_S
    assert (reply.status, reply.headers["retry-after"]) == (429, str(GEMINI_RETRY_DELAY_S))
    assert stage.tried(reply) == [("gemini", reason, "provider_rate_limited") for reason in ("first", "retry")]


@BOTH
def test_reset_time_of_a_rate_limit_is_not_taken_for_retry_after(stage: Stage, stream: bool) -> None:
    """x-ratelimit-reset-… says when the whole limit is there again."""
    model = stage.fresh("429-resets")
    reply = stage.ask(f"openai/{model}", stream=stream)

    assert (reply.status, "retry-after" in reply.headers) == (429, False)
    assert len(stage.arrivals("openai", model)) == 2


@BOTH
@pytest.mark.parametrize("caller", ["chat", "messages"])
def test_caller_gets_the_shortest_retry_after_of_all_providers(stage: Stage, caller: Caller, stream: bool) -> None:
    """The sooner of the two, in the words of his wire."""
    models = [stage.fresh("429-retry-after-90"), stage.fresh("429-retry-after-40")]
    reply = stage.ask(f"openai/{models[0]}", models=[f"anthropic/{models[1]}"], stream=stream, caller=caller)

    assert (reply.status, reply.headers["retry-after"]) == (429, "40")
    if caller == "messages":
        assert reply.error["type"] == "rate_limit_error"
    else:
        assert reply.error["code"] == "provider_rate_limited"
    assert stage.tried(reply) == [
        ("openai", "first", "provider_rate_limited"),
        ("anthropic", "fallback", "provider_rate_limited"),
    ]


@BOTH
@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_rate_limited_provider_is_retried_once_per_call(stage: Stage, provider: str, stream: bool) -> None:
    model = stage.fresh("429")
    reply = stage.ask(f"{provider}/{model}", stream=stream)

    assert reply.status == 429
    arrivals = stage.arrivals(provider, model)
    assert len([one for one in arrivals if one - arrivals[0] < 3.0]) <= 4
    assert len(arrivals) <= 6
    assert stage.tried(reply) == [(provider, reason, "provider_rate_limited") for reason in ("first", "retry")]


def test_many_rate_limited_candidates_cost_at_most_six_attempts(stage: Stage) -> None:
    models = [f"{provider}/{stage.fresh('429-retry-after-0')}" for provider in ("groq", "anthropic", "openai", "groq")]
    reply = stage.ask(f"openai/{stage.fresh('429-retry-after-0')}", models=models)

    assert reply.status == 429
    assert 2 <= len(stage.tried(reply)) <= 6


@BOTH
@pytest.mark.parametrize("provider", ["openai", "anthropic", "gemini"])
def test_single_failure_is_retried_and_hidden_from_the_caller(stage: Stage, provider: str, stream: bool) -> None:
    reply = stage.ask(f"{provider}/{stage.fresh('500-once')}", stream=stream)

    assert reply.status == 200
    assert stage.tried(reply) == [(provider, "first", "provider_server_error"), (provider, "retry", None)]
    assert stage.server(reply)["gatewayz.outcome"] == "ok"


@BOTH
@pytest.mark.parametrize(("provider", "status"), [("openai", 503), ("anthropic", 529), ("gemini", 503)])
def test_fallback_reports_its_own_model_and_usage_and_the_failed_attempt_costs_nothing(
    stage: Stage, provider: str, status: int, stream: bool
) -> None:
    model = stage.fresh(str(status))
    wish: dict[str, Any] = {"stream_options": {"include_usage": True}} if stream else {}
    reply = stage.ask(f"{provider}/{model}", stream=stream, models=FALLBACK, **wish)

    assert (reply.status, reply.provider) == (200, "groq")
    assert '"model":"ok-7-tokens"' in reply.text
    assert '"completion_tokens":7' in reply.text
    assert model not in reply.text
    assert stage.tried(reply) == [(provider, "first", "provider_overloaded"), ("groq", "fallback", None)]
    failed, answered = stage.spans(reply)
    assert failed["http.response.status_code"] == status
    assert failed["gatewayz.usage.source"] == "none"
    assert not failed.get("gatewayz.cost.usd")
    assert "gen_ai.usage.output_tokens" not in failed
    assert answered["gen_ai.response.model"] == "ok-7-tokens"
    assert answered["gen_ai.usage.output_tokens"] == 7
    assert stage.server(reply)["gatewayz.provider.name"] == "groq"


@BOTH
@pytest.mark.parametrize(
    ("model", "code"),
    [
        ("openai/400-context", "context_length_exceeded"),
        ("openai/422", "scripted"),
        ("anthropic/400", None),
        ("gemini/400", None),
    ],
)
def test_bad_request_is_not_tried_again_anywhere(stage: Stage, model: str, code: str | None, stream: bool) -> None:
    provider, _, script = model.partition("/")
    model = stage.fresh(script)
    reply = stage.ask(f"{provider}/{model}", stream=stream, models=FALLBACK)

    assert reply.status == int(script[:3])
    assert code is None or reply.error["code"] == code
    assert reply.error["message"]
    assert stage.tried(reply) == [(provider, "first", "provider_bad_request")]
    assert stage.asked(provider, model) == 1
    server = stage.server(reply)
    assert (server["gatewayz.outcome"], server["error.type"]) == ("caller_error", "provider_bad_request")


@BOTH
@pytest.mark.parametrize(
    ("script", "status", "error_type"),
    [
        ("503", 503, "provider_overloaded"),
        ("429-retry-after-60", 429, "provider_rate_limited"),
        ("rst-before-headers", 502, "provider_connection_error"),
    ],
)
@pytest.mark.parametrize("fallback", ["groq/400-context", "anthropic/400"])
def test_bad_request_of_a_fallback_never_replaces_the_first_providers_error(
    stage: Stage, script: str, status: int, error_type: str, fallback: str, stream: bool
) -> None:
    reply = stage.ask(f"openai/{stage.fresh(script)}", models=[fallback], stream=stream)

    assert reply.status == status
    assert reply.error["code"] == error_type
    assert "400" not in str(reply.error["code"])
    tried = stage.tried(reply)
    assert tried[0] == ("openai", "first", error_type)
    assert tried[-1] == (fallback.partition("/")[0], "fallback", "provider_bad_request")
    assert stage.server(reply)["gatewayz.outcome"] == "provider_error"


@BOTH
@pytest.mark.parametrize("script", ["429-quota", "429-of-no-use", "500-of-no-use", "503-of-no-use"])
def test_provider_that_says_a_retry_is_of_no_use_is_not_asked_again(stage: Stage, script: str, stream: bool) -> None:
    model = stage.fresh(script)
    alone = stage.ask(f"openai/{model}", stream=stream)

    assert alone.status == {"429": 429, "500": 502, "503": 503}[script[:3]]
    if script == "429-quota":
        assert alone.error["code"] == "insufficient_quota"
    assert len(stage.tried(alone)) == 1
    assert stage.asked("openai", model) == 1

    reply = stage.ask(f"openai/{model}", stream=stream, models=FALLBACK)
    assert reply.provider == "groq"
    assert [one[:2] for one in stage.tried(reply)] == [("openai", "first"), ("groq", "fallback")]


STATUSES = pytest.mark.parametrize(
    ("status", "error_type"),
    [(429, "provider_rate_limited"), (503, "provider_overloaded"), (400, "provider_bad_request")],
)


@BOTH
@STATUSES
@pytest.mark.parametrize("how", ["long", "cut"])
def test_error_status_counts_even_if_its_body_is_too_long_or_cut(
    stage: Stage, how: str, status: int, error_type: str, stream: bool
) -> None:
    reply = stage.ask(f"openai/{stage.fresh(f'{how}-refusal-{status}')}", models=FALLBACK, stream=stream)

    assert stage.tried(reply)[0] == ("openai", "first", error_type)
    assert reply.status == (400 if status == 400 else 200)


@pytest.fixture(scope="module")
def slow(shared: Stage) -> dict[tuple[int, bool], Future[Reply]]:
    return {
        (status, stream): shared.begin(
            f"openai/{shared.fresh(f'slow-refusal-{status}')}", models=FALLBACK, stream=stream
        )
        for status in (429, 503, 400)
        for stream in (False, True)
    }


@BOTH
@STATUSES
def test_error_whose_body_never_arrives_is_given_up_in_time(
    stage: Stage, slow: dict[tuple[int, bool], Future[Reply]], status: int, error_type: str, stream: bool
) -> None:
    reply = slow[status, stream].result()

    assert stage.tried(reply)[0] == ("openai", "first", error_type)
    assert reply.status == (400 if status == 400 else 200)
    assert reply.seconds < FIRST_BYTE_S + IDLE_S + LATE_S
