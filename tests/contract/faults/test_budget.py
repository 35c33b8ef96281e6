"""When everything fails, few attempts more than requests are made; calls beyond what there is room for are refused at once."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.contract.faults.stage import Stage, staged
from tests.fakes.provider.server import FakeLLM

CAP = 40
TOGETHER_CAP = 3

FILE = f"""
providers:
  together: {{max_concurrency: {TOGETHER_CAP}}}
"""


@pytest.fixture(scope="module")
def polite(tmp_path_factory: pytest.TempPathFactory) -> Generator[Stage]:
    """The usual retry budget, few places, and breakers that stay out of the way."""
    directory = tmp_path_factory.mktemp("polite")
    file = directory / "gatewayz.yaml"
    file.write_text(FILE)
    more = {
        "GATEWAYZ_CONFIG_FILE": str(file),
        "GATEWAYZ_RETRY_BUDGET": "0.2",
        "GATEWAYZ_BREAKER_FAILURES": "100000",
        "GATEWAYZ_BREAKER_MIN_ATTEMPTS": "100000",
        "GATEWAYZ_MAX_IN_FLIGHT": str(CAP),
        "GATEWAYZ_FIRST_BYTE_TIMEOUT_S": "20",
        "GATEWAYZ_FIRST_CHUNK_TIMEOUT_S": "20",
        "GATEWAYZ_TOTAL_TIMEOUT_S": "30",
    }
    with staged(directory, ("openai", "groq", "together"), **more) as stage:
        yield stage


def attempts(fakes: dict[str, FakeLLM]) -> int:
    return sum(len(fake.requests) for fake in fakes.values())


@pytest.mark.parametrize(
    ("fault", "stream"), [("500", False), ("429", True), ("rst-before-headers", False), ("html-200", True)]
)
def test_retries_stay_within_the_budget_when_everything_fails(polite: Stage, fault: str, stream: bool) -> None:
    requests, at_once = 200, 25
    before = attempts(polite.fakes)
    for fake in polite.fakes.values():
        fake.behave = lambda received: fault
    try:
        answers = [
            one
            for _ in range(requests // at_once)
            for one in polite.storm(at_once, f"openai/{polite.fresh('ok')}", models=["groq/ok~k10"], stream=stream)
        ]
    finally:
        for fake in polite.fakes.values():
            fake.behave = None

    assert {one.status for one in answers} == {429 if fault == "429" else 502}
    # A connection that was used before and is reset may just have been dropped: those are replaced within the same attempt.
    replaced = 2 * at_once if fault == "rst-before-headers" else 0
    assert requests <= attempts(polite.fakes) - before <= 1.2 * requests + 3 + replaced
    polite.is_well()


def test_full_worker_refuses_at_once_with_retry_after(polite: Stage) -> None:
    slow = "openai/slow-first-1.5s"
    answers = polite.storm(CAP + 20, slow)

    refused = [one for one in answers if one.status == 503]
    assert 20 <= len(refused) < CAP + 20
    assert {one.status for one in answers} == {200, 503}
    assert {one.retry_after for one in refused} == {"1"}
    polite.is_well()


@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
def test_provider_at_capacity_is_skipped_or_the_call_refused_at_once(polite: Stage, stream: bool) -> None:
    fake = polite.fakes["together"]
    known = len(fake.requests)
    busy = [polite.begin("together/slow-first-1.5s", stream=stream) for _ in range(TOGETHER_CAP)]
    while len(fake.requests) < known + TOGETHER_CAP:
        assert not all(one.done() for one in busy)
    refused = polite.ask("together/ok", stream=stream)
    elsewhere = polite.ask("together/ok", models=["groq/ok-7-tokens"], stream=stream)

    assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    assert refused.error["code"] == "gateway_overloaded"
    assert polite.tried(refused) == []
    assert elsewhere.provider == "groq"
    assert [one["gatewayz.skip.reason"] for one in polite.events(elsewhere, "gatewayz.candidate.skipped")] == [
        "at_capacity"
    ]
    answered = [one.result() for one in busy]
    assert {one.status for one in answered} == {200}
    assert refused.last_byte_s < min(one.last_byte_s for one in answered)  # at once: it waited for nobody's place
    polite.is_well()
