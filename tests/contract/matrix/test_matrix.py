"""Every caller's wire × every provider's wire × whole, streamed, and through the SDK's accumulator × every task.

Of each cell: what the user of the SDK sees, what the provider was asked, and what the spans tell. The tables are scenario.py
and expectations.py; what the scripts say is authentic, as test_control.py shows.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from itertools import product

import pytest

from tests.contract.matrix.expectations import expected_end, expected_request, expected_seen, refused_member
from tests.contract.matrix.rig import OTEL_NAMES, PROVIDER_KEY, Rig, Spans, running_matrix
from tests.contract.matrix.scenario import CALLER_WIRES, CELLS, DELIVERIES, PROVIDER_WIRES, TASKS, Cell, Seen, Tokens
from tests.contract.matrix.scripted import VENDORS, Taken

_ROUTES = {
    "openai_chat": "/v1/chat/completions",
    "openai_completions": "/v1/completions",
    "openai_responses": "/v1/responses",
    "anthropic_messages": "/v1/messages",
}
_CREDENTIALS = {"anthropic_messages": ("x-api-key", ""), "gemini": ("x-goog-api-key", "")}


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Generator[Rig]:
    with running_matrix(tmp_path_factory.mktemp("matrix")) as made:
        yield made


def test_the_table_has_every_cell() -> None:
    assert {(cell.caller, cell.provider, cell.scenario.task, cell.delivery) for cell in CELLS} == {
        *product(CALLER_WIRES, PROVIDER_WIRES, TASKS, DELIVERIES)
    }
    assert {"text", "tools", "schema", "image", "error", "cut"} <= {*TASKS}
    assert len(CALLER_WIRES) == 4
    assert len(PROVIDER_WIRES) == 5


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.id)
def test_cell(rig: Rig, cell: Cell) -> None:
    seen = rig.callers[cell.caller].ask(f"{cell.provider}/{cell.model}", cell.scenario, cell.delivery)
    taken = rig.upstream.taken.get(cell.model, [])
    if (member := refused_member(cell)) is not None:
        _assert_refused(seen, member)
        assert not taken, "what cannot be said is not sent"
        if member != "prompt[0]":  # such a body is not read so far that its model were known
            _assert_untried(rig.spans(cell.model, cell.provider, 1))
        return
    if _refuses_by_itself(cell):
        assert seen.failure is not None
        assert seen.failure.status == 400
        assert len(taken) == 1
        return
    _assert_seen(seen, cell)
    for one in taken:
        _assert_asked(one, cell)
    turns = 2 if cell.scenario.after_tools else 1
    _assert_spans(rig.spans(cell.model, cell.provider, turns), taken, cell)


def _refuses_by_itself(cell: Cell) -> bool:
    """What is not of its own wire a provider refuses in its own words: the gateway lets pass what it does not know."""
    if not cell.native:
        return False
    return (cell.caller == "openai_completions" and cell.scenario.choice is not None) or (
        cell.caller in ("anthropic_messages", "openai_responses") and cell.scenario.task == "audio"
    )


def _assert_refused(seen: Seen, member: str) -> None:
    assert seen.failure is not None, seen
    assert seen.failure.status == 400
    if seen.failure.word == "invalid_request_error":  # Anthropic's errors have no place for the member but the message
        assert f"'{member}'" in seen.failure.message
    else:
        assert (seen.failure.param, seen.failure.word) == (member, seen.failure.word)
        assert f"'{member}'" in seen.failure.message
    assert seen.text == ""


def _assert_untried(spans: Spans) -> None:
    assert spans.attempts == []
    ((_, server),) = spans.servers
    assert (server["http.response.status_code"], server["error.type"]) == (400, "caller_invalid_request")
    assert server["gatewayz.outcome"] == "caller_error"


def _assert_seen(seen: Seen, cell: Cell) -> None:
    expected = expected_seen(cell)
    if cell.scenario.fault == "broken" and seen.failure is not None and seen.failure.status is not None:
        # It broke before anything was on its way: then it is as if it had never begun.
        expected = expected_seen(replace(cell, delivery="unary"))
    if seen.failure is not None and expected.failure is not None:
        assert expected.failure.message in seen.failure.message
        assert PROVIDER_KEY not in seen.failure.message
        expected.failure = replace(expected.failure, message=seen.failure.message)
    assert seen == expected


def _assert_asked(taken: Taken, cell: Cell) -> None:
    vendor = VENDORS[cell.provider]
    assert taken.streamed == cell.streamed
    name, prefix = _CREDENTIALS.get(cell.provider, ("authorization", "Bearer "))
    assert taken.headers[name] == prefix + PROVIDER_KEY
    asked = vendor.read(taken.body, native=cell.native)
    # Which ids there are is the provider's affair, or where it gives none ours: that they fit is what matters.
    called, answered = [call_id for call_id, _, _ in asked.calls], [call_id for call_id, _ in asked.results]
    assert called == answered
    asked.calls = [("", name, arguments) for _, name, arguments in asked.calls]
    asked.results = [("", text) for _, text in asked.results]
    assert asked == expected_request(cell, vendor, after_tools=taken.after_tools)


def _assert_spans(spans: Spans, taken: list[Taken], cell: Cell) -> None:
    """One span for each request, and one for each attempt, which are as many as the provider has seen."""
    turns = 2 if cell.scenario.after_tools else 1
    assert len(spans.servers) == turns
    assert len(spans.attempts) == len(taken)
    assert cell.scenario.fault in ("broken", "cut") or len(taken) == turns
    for turn, (server, told) in enumerate(spans.servers):
        attempts = [(span, said) for span, said in spans.attempts if span.trace_id == server.trace_id]
        assert attempts
        end = expected_end(cell, after_tools=turn == 1)
        assert server.name == f"POST {_ROUTES[cell.caller]}"
        assert told["gatewayz.attempts"] == len(attempts)
        assert told.get("error.type") == end.error_type
        for span, said in attempts:
            assert span.parent_span_id == server.span_id
            operation = "text_completion" if cell.caller == "openai_completions" else "chat"
            assert said["gen_ai.operation.name"] == operation
            assert said["gen_ai.provider.name"] == OTEL_NAMES[cell.provider]
            assert said["gatewayz.provider.name"] == cell.provider
            assert said["gen_ai.request.model"] == cell.model
            assert said.get("error.type") == end.error_type
            if end.finish_reasons is not None:
                assert said["gen_ai.response.finish_reasons"] == end.finish_reasons
                tokens = Tokens()
                assert said["gen_ai.usage.input_tokens"] == tokens.input
                assert said["gen_ai.usage.cache_read.input_tokens"] == tokens.cached
                assert said["gen_ai.usage.output_tokens"] == tokens.output
                assert said["gen_ai.usage.reasoning.output_tokens"] == tokens.thought
