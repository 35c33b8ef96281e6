"""What each translation costs by itself: the pure functions, in µs of CPU of one thread, without server, client or telemetry."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from benchmarks.dialogue import Wire, events, reply, request_body
from benchmarks.records import TranslationCost
from gatewayz.wires.base import AnswerInfo
from gatewayz.wires.base import Wire as WireName
from gatewayz.wires.translate import CALLER_WIRES, PROVIDER_WIRES, translation
from gatewayz.wires.translate import request_body as provider_body

NAMES: Mapping[Wire, WireName] = {
    "chat": "openai_chat",
    "responses": "openai_responses",
    "messages": "anthropic_messages",
    "gemini": "gemini",
}
MODEL = "gpt-4o-mini"
ROUNDS = 7


def translation_cost(caller: Wire, provider: Wire, times: int = 100) -> TranslationCost:
    """The least of several rounds of ``times``: whatever else the machine does can only add."""
    spoken, heard = CALLER_WIRES[NAMES[caller]], PROVIDER_WIRES[NAMES[provider]]
    call = spoken.parse(request_body(caller, MODEL, stream=False))
    streamed = spoken.parse(request_body(caller, MODEL, stream=True))
    shape = AnswerInfo("req_0123456789ab", MODEL, 1_790_000_000, stream=False)
    stream_shape = AnswerInfo("req_0123456789ab", MODEL, 1_790_000_000, stream=True, include_usage=True)
    whole, told = reply(provider), events(provider)

    def ask() -> None:
        provider_body(call, spoken, heard, MODEL, usage_option=True)

    def answer() -> None:
        made = translation(call, spoken, heard, shape)
        if made is not None:
            made.reply(whole)

    def stream() -> None:
        made = translation(streamed, spoken, heard, stream_shape)
        if made is not None:
            for event in told:
                made.event(event)
            made.end()

    return TranslationCost(
        request_us=_least_us(ask, times),
        answer_us=_least_us(answer, times),
        event_us=_least_us(stream, max(1, times // 10)) / len(told),
    )


def _least_us(work: Callable[[], None], times: int) -> float:
    work()
    least_ns = float("inf")
    for _ in range(ROUNDS):
        before = time.thread_time_ns()
        for _ in range(times):
            work()
        least_ns = min(least_ns, time.thread_time_ns() - before)
    return least_ns / times / 1000
