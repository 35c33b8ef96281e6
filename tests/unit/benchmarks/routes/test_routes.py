"""Each way through the gateway is taken, telemetry and all, and what a translation adds is told from the rest."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from benchmarks import report
from benchmarks.dialogue import TEXT, WIRES, Wire, events, reply, request_body
from benchmarks.processes import Cores
from benchmarks.records import Machine, Plan, Result, Run
from benchmarks.routes.measure import measure_routes, route_rows
from benchmarks.routes.report import missed_by_routes
from benchmarks.routes.table import ROUTES, TRANSLATED, as_it_came
from benchmarks.routes.translations import translation_cost
from tests.unit.benchmarks.test_report import MACHINE, run


def plan(*routes: str) -> Plan:
    return Plan((), (), (), 1, 1, 0.2, 0.1, routes=routes, route_seconds=0.1, route_warm_up_s=0.1)


def result(*runs: Run, machine: Machine = MACHINE) -> Result:
    chosen = plan(*dict.fromkeys(run.shape for run in runs))
    return Result(machine, chosen, {}, (), (), runs, route_rows(chosen, runs))


def test_every_route_has_a_name_of_its_own_and_something_to_compare_with() -> None:
    names = [route.name for route in ROUTES]

    assert len(set(names)) == len(names)
    assert {as_it_came(route) for route in ROUTES if route.kind == "translated"} <= set(names)


def test_every_way_is_taken_and_its_telemetry_arrives(program: Path, cores: Cores, tmp_path: Path) -> None:
    streams = {
        "chat-chat-stream",
        "responses-responses-stream",
        "responses-messages-stream",
        "messages-messages-stream",
    }
    taken = [route for route in ROUTES if not route.stream or route.name in streams]
    chosen = plan(*(route.name for route in taken))
    runs = measure_routes(chosen, program, cores, tmp_path, lambda line: None)

    assert [(run.shape, run.void) for run in runs] == [(route.name, None) for route in taken]
    assert all(run.requests > 0 for run in runs)
    assert [run.events > 0 for run in runs] == [route.stream for route in taken]
    rows = route_rows(chosen, runs)
    assert [row.translation_us is not None for row in rows] == [route.kind == "translated" for route in taken]


@pytest.mark.parametrize("wire", WIRES)
def test_the_conversation_says_the_same_whole_and_streamed(wire: Wire) -> None:
    assert TEXT in msgspec.json.format(reply(wire)).decode()
    assert len(events(wire)) >= 100


@pytest.mark.parametrize(("caller", "provider"), TRANSLATED)
def test_the_functions_of_a_translation_are_timed_alone(caller: Wire, provider: Wire) -> None:
    cost = translation_cost(caller, provider, times=2)

    assert cost.request_us > 0
    assert cost.answer_us > 0
    assert 0 < cost.event_us < cost.unary_us * 10


def test_nobody_asks_in_geminis_words() -> None:
    with pytest.raises(ValueError, match="no endpoint"):
        request_body("gemini", "m", stream=False)


def test_a_translation_costs_what_its_route_takes_beyond_the_plain_one() -> None:
    measured = result(
        run(shape="chat-chat", cpu_us=300),
        run(shape="chat-chat", cpu_us=400),
        run(shape="chat-messages", cpu_us=390),
        run(shape="chat-messages", cpu_us=500),
    )

    assert [row.translation_us for row in measured.route_rows] == [None, 95]
    assert missed_by_routes(measured) == []
    text = report.markdown(measured)
    assert "| translated | chat → messages | 445 (390–500) | 95 |" in text
    assert "✓ translation ≤ 120 µs" in text


def test_a_translation_that_takes_too_long_is_marked_and_said() -> None:
    measured = result(run(shape="chat-chat", cpu_us=300), run(shape="chat-gemini", cpu_us=450))

    assert "✗ translation ≤ 120 µs" in report.markdown(measured)
    assert report.missed(measured) == ["chat → gemini: translation 150 µs, target 120 µs"]


def test_a_streams_translation_is_told_by_the_event() -> None:
    measured = result(
        run(shape="chat-chat-stream", cpu_us=1000, events=10_000),
        run(shape="chat-messages-stream", cpu_us=1500, events=10_000),
    )

    assert measured.route_rows[1].translation_event_us == pytest.approx(5.0)
    assert "| 15.0 | 5.0 |" in report.markdown(measured)


def test_without_the_plain_route_there_is_nothing_to_compare_with() -> None:
    assert result(run(shape="chat-messages", cpu_us=390)).route_rows[0].translation_us is None


def test_a_void_run_shows_no_figures() -> None:
    text = report.markdown(result(run(shape="chat-chat", cpu_us=311, void="nothing was answered: status 500")))

    assert "void: nothing was answered: status 500" in text
    assert "311" not in text
