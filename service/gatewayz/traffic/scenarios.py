"""What is sent: kinds of request, their shares, and the plan that a seed makes of them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]  # Any: request bodies are built here and only ever serialised


@dataclass(frozen=True, slots=True)
class Scenario:
    """A kind of request; ``weight`` is its share among all, ``path`` is below ``/v1``. After ``disconnects_after`` events of the
    answer the caller disconnects."""

    name: str
    weight: int
    model: str
    body: Callable[[random.Random], Json] = field(default=lambda rng: {"messages": _messages(rng)})
    wrong_key: bool = False
    disconnects_after: int | None = None
    path: str = "/chat/completions"


@dataclass(frozen=True, slots=True)
class Planned:
    """One request of the plan, to be sent ``pause_s`` after the one before it."""

    pause_s: float
    scenario: Scenario
    body: Json


_WORDS = "trace span metric log series latency token model stream retry cache budget prompt answer signal sample"


def _messages(rng: random.Random, words: int = 24) -> list[Json]:
    return [
        {"role": "system", "content": "You are terse."},
        {"role": "user", "content": " ".join(rng.choices(_WORDS.split(), k=rng.randint(words // 2, words * 2)))},
    ]


def _chat(*, stream: bool = False, words: int = 24, **more: Any) -> Callable[[random.Random], Json]:
    def body(rng: random.Random) -> Json:
        made: Json = {"messages": _messages(rng, words), "temperature": round(rng.random(), 2), **more}
        if stream:
            made["stream"] = True
            if rng.random() < 0.5:
                made["stream_options"] = {"include_usage": True}
        return made

    return body


def _embeddings(rng: random.Random) -> Json:
    texts = [" ".join(rng.choices(_WORDS.split(), k=rng.randint(4, 40))) for _ in range(rng.randint(1, 4))]
    return {"input": texts, "encoding_format": rng.choice(("float", "base64"))}


_WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}

SCENARIOS: tuple[Scenario, ...] = (
    Scenario("chat", 26, "demo/fast", _chat()),
    Scenario("chat, streamed", 22, "demo/fast", _chat(stream=True)),
    Scenario("slow", 4, "demo/slow", _chat()),
    Scenario("slow, streamed", 5, "demo/slow", _chat(stream=True)),
    Scenario("reasoning", 3, "demo/thinker", _chat()),
    Scenario("reasoning, streamed", 3, "demo/thinker", _chat(stream=True)),
    Scenario("flaky", 7, "demo/flaky", _chat()),
    Scenario("flaky, streamed", 5, "demo/flaky", _chat(stream=True)),
    Scenario("tool call", 4, "demo/fast", _chat(tools=[_WEATHER], tool_choice="required")),
    Scenario("tool call, streamed", 3, "demo/fast", _chat(stream=True, tools=[_WEATHER], tool_choice="required")),
    Scenario("large prompt", 3, "demo/fast", _chat(words=8000)),
    Scenario("embeddings", 4, "demo/embed", _embeddings, path="/embeddings"),
    Scenario("caller hangs up", 3, "demo/slow", _chat(stream=True), disconnects_after=3),
    Scenario("provider limits", 2, "demo/rate-limited", _chat()),
    Scenario("provider fails", 2, "demo/error", _chat()),
    Scenario("provider overloaded", 1, "demo/overloaded", _chat()),
    Scenario("provider cuts", 2, "demo/cut", _chat(stream=True)),
    Scenario("provider hangs", 1, "demo/hang", _chat(stream=True)),
    Scenario("unknown model", 2, "demo/no-such-model", _chat()),
    Scenario("wrong key", 2, "demo/fast", _chat(), wrong_key=True),
    Scenario("no messages", 1, "demo/fast", lambda _: {}),
)


def plan(seed: int, rate_per_s: float) -> Iterator[Planned]:
    """Requests without end. The first round holds every scenario once, so that a short run shows each; then weights rule."""
    rng = random.Random(seed)  # noqa: S311 - a reproducible plan, not a secret
    weights = [scenario.weight for scenario in SCENARIOS]
    first_round = rng.sample(SCENARIOS, len(SCENARIOS))
    while True:
        scenario = first_round.pop() if first_round else rng.choices(SCENARIOS, weights)[0]
        body = {"model": scenario.model, **scenario.body(rng)}
        yield Planned(rng.expovariate(rate_per_s), scenario, body)
