"""Streams that break off, fall silent, look odd, have no end, begin with an error, or have one in the middle: on three wires,
for callers of the same wire and of another."""

from __future__ import annotations

import json
import time
from concurrent.futures import Future
from typing import Any

import pytest

from tests.contract.faults.stage import FALLBACK, IDLE_S, WIRES, Caller, Reply, Stage
from tests.contract.faults.worker import cpu_s
from tests.fakes.provider.exchange import Exchange
from tests.fakes.provider.forms import FORMS
from tests.fakes.provider.wires import ANSWERED
from tests.polling import eventually

PROVIDERS = ("openai", "anthropic", "gemini")
PAIRS: list[tuple[str, Caller]] = [(provider, caller) for provider in PROVIDERS for caller in ("chat", "messages")]
SAME_WIRE = (("openai", "chat"), ("anthropic", "messages"))
LATE_S = 5.0
"""What a busy machine may take beyond what is waited for. The fault would be to wait for the provider's own end: an hour."""

_ENDS = ("[DONE]", "message_stop", '"finish_reason":"', '"stop_reason":"')
"""What a caller takes for the end of an answer."""


def said(reply: Reply, caller: Caller) -> str:
    """The text that the caller has got."""
    parts: list[str] = []
    for line in reply.body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n"):
        data = line.removeprefix(b"data:").strip()
        if not line.startswith(b"data:") or not data.startswith(b"{"):
            continue
        event = json.loads(data)
        if caller == "messages":
            parts.append(event.get("delta", {}).get("text", ""))
        else:
            parts += [choice["delta"].get("content") or "" for choice in event.get("choices", ())]
    return "".join(parts)


Begun = dict[tuple[str, str, Caller], tuple[str, Future[Reply]]]
"""Script, provider and caller → the model, and the answer to come."""

STALL = "stall-after-3"
COMMENTS = f"comments-for-{IDLE_S * 1.5}-s"


@pytest.fixture(scope="module")
def slow(shared: Stage) -> Begun:
    """Those that take their time take it together."""
    begun: Begun = {}
    for script in (STALL, COMMENTS):
        for provider, caller in PAIRS:
            model = shared.fresh(script)
            reply = shared.begin(f"{provider}/{model}", stream=True, caller=caller, models=FALLBACK)
            begun[script, provider, caller] = model, reply
    return begun


BREAKS = [
    ("cut-after-40", "provider_stream_cut"),
    ("rst-after-40", "provider_stream_cut"),
    ("eof-after-40", "provider_stream_cut"),
    (STALL, "provider_idle_timeout"),
    ("overload-after-3", "provider_overloaded"),
    ("garbage-after-3", "provider_malformed_response"),
]


@pytest.mark.parametrize(("provider", "caller"), PAIRS)
@pytest.mark.parametrize(("script", "error_type"), [pytest.param(*one, id=one[0]) for one in BREAKS])
def test_broken_stream_ends_in_an_error_and_is_not_restarted(
    stage: Stage, slow: Begun, provider: str, caller: Caller, script: str, error_type: str
) -> None:
    model, future = slow.get((script, provider, caller)) or (stage.fresh(script), None)
    reply = (
        future.result()
        if future is not None
        else stage.ask(f"{provider}/{model}", stream=True, models=FALLBACK, caller=caller)
    )

    assert reply.status == 200
    if caller == "chat":
        assert reply.last_error["code"] == error_type
    else:
        assert reply.last_error["type"] in ("api_error", "overloaded_error", "timeout_error")
    assert not [end for end in _ENDS if end in reply.text]
    assert len(said(reply, caller).split()) == int(script.rpartition("-")[2])
    assert stage.tried(reply) == [(provider, "first", error_type)]
    assert stage.asked(provider, model) == 1
    server = stage.traces.server(reply.request_id)
    assert server.status.code == server.status.STATUS_CODE_ERROR
    told = stage.server(reply)
    assert (told["error.type"], told["gatewayz.outcome"]) == (error_type, "provider_error")
    if script.startswith("stall"):
        assert IDLE_S * 0.9 < reply.seconds < IDLE_S + LATE_S


@pytest.mark.parametrize(("provider", "caller"), PAIRS)
@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_server_sent_events_arrives(stage: Stage, provider: str, caller: Caller, form: str) -> None:
    """Byte for byte where nothing is translated."""
    model = stage.fresh(form)
    wish: dict[str, Any] = {"stream_options": {"include_usage": True}} if caller == "chat" else {}
    reply = stage.ask(f"{provider}/{model}", stream=True, caller=caller, **wish)

    assert reply.status == 200
    assert stage.tried(reply) == [(provider, "first", None)]
    (span,) = stage.spans(reply)
    assert span["gen_ai.usage.output_tokens"] == len(ANSWERED)
    if (provider, caller) in SAME_WIRE:
        (sent,) = [one for one in stage.fakes[provider].requests if one.model == model]
        exchange = Exchange(sent.body, 1, lambda data: None)  # pyright: ignore[reportArgumentType] (nothing is sent)
        as_sent = b"".join(FORMS[form](b"".join(WIRES[provider].events(exchange, ANSWERED))))
        lacks_its_end = form == "no-last-blank-line"
        assert reply.body.rstrip(b"\n") + b"\n" == as_sent if lacks_its_end else reply.body == as_sent
    if form != "multi-line" and not (form == "mark" and (provider, caller) in SAME_WIRE):
        assert said(reply, caller) == "".join(ANSWERED)


@pytest.mark.parametrize(("provider", "caller"), PAIRS)
def test_comments_keep_a_stream_open(stage: Stage, slow: Begun, provider: str, caller: Caller) -> None:
    reply = slow[COMMENTS, provider, caller][1].result()

    assert stage.tried(reply) == [(provider, "first", None)]
    assert len(said(reply, caller).split()) == 5


@pytest.mark.parametrize(
    "event", ["[]", "null", "7", '"text"', '{"choices":null}', '{"choices":[null]}', '{"choices":7}', '{"object":"x"}']
)
def test_stream_without_an_answer_in_its_first_event_falls_back(stage: Stage, event: str) -> None:
    """JSON, and the end: but nobody has said anything."""
    reply = stage.ask(f"openai/{stage.fresh(f'says-{event}')}", stream=True, models=FALLBACK)

    assert (reply.status, reply.provider) == (200, "groq")
    assert stage.tried(reply) == [("openai", "first", "provider_malformed_response"), ("groq", "fallback", None)]


@pytest.mark.parametrize("caller", ["chat", "messages"])
def test_stream_without_done_ends_well_and_keeps_its_usage(stage: Stage, caller: Caller) -> None:
    model = stage.fresh("no-done")
    reply = stage.ask(f"openai/{model}", stream=True, caller=caller)

    assert "error" not in reply.text
    assert len(said(reply, caller).split()) == 5
    assert reply.last_byte_s - stage.arrivals("openai", model)[0] < 1.0 + LATE_S
    assert stage.tried(reply) == [("openai", "first", None)]
    (span,) = stage.spans(reply)
    assert (span["gen_ai.usage.output_tokens"], span["gatewayz.usage.source"]) == (5, "provider")
    (record,) = eventually(lambda: [one for one in stage.gateway.records() if one["request_id"] == reply.request_id])
    assert record["output_tokens"] == 5


FIRST_ERRORS = [
    ("openai", "error-first-event", "provider_rate_limited"),
    ("openai", "overload-after--1", "provider_overloaded"),
    ("anthropic", "overload-after--1", "provider_overloaded"),
    ("gemini", "overload-after--1", "provider_overloaded"),
]


@pytest.mark.parametrize("caller", ["chat", "messages"])
@pytest.mark.parametrize(("provider", "script", "error_type"), FIRST_ERRORS)
def test_error_as_the_first_event_falls_back(
    stage: Stage, provider: str, script: str, error_type: str, caller: Caller
) -> None:
    reply = stage.ask(f"{provider}/{stage.fresh(script)}", stream=True, models=FALLBACK, caller=caller)

    assert (reply.status, reply.provider) == (200, "groq")
    assert stage.tried(reply) == [(provider, "first", error_type), ("groq", "fallback", None)]

    alone = stage.ask(f"{provider}/{stage.fresh(script)}", stream=True, caller=caller)
    assert alone.status == (429 if error_type == "provider_rate_limited" else 503)
    assert "text/event-stream" not in alone.headers["content-type"]


@pytest.mark.parametrize("script", ["429-after-3", "error-after-3"])
def test_rate_limit_in_mid_stream_ends_in_an_error_event(stage: Stage, script: str) -> None:
    reply = stage.ask(f"openai/{stage.fresh(script)}", stream=True)

    error_type = "provider_rate_limited" if script.startswith("429") else "provider_overloaded"
    assert reply.last_error["code"] == error_type
    assert "[DONE]" not in reply.text
    assert stage.tried(reply) == [("openai", "first", error_type)]


def test_worker_is_idle_after_broken_streams(stage: Stage) -> None:
    """No loop spins on a connection that is gone."""
    for provider in PROVIDERS:
        for script in ("overload-after-3", "cut-after-3", "rst-after-3", "garbage-after-3"):
            stage.ask(f"{provider}/{stage.fresh(script)}", stream=True)
    stage.ask(f"openai/{stage.fresh('429-after-3')}", stream=True)
    idle_s = 1.5
    time.sleep(0.3)
    before = cpu_s(stage.gateway.pid)
    time.sleep(idle_s)
    assert cpu_s(stage.gateway.pid) - before < 0.2 * idle_s
