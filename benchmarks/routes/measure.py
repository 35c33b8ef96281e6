"""Measures the ways through the gateway, telemetry on: gateways that know providers of every wire, loaded route by route."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.load.program import Server
from benchmarks.measure import Bench, line, measure_run, warm_up
from benchmarks.processes import Cores
from benchmarks.providers import write_scripts
from benchmarks.records import Plan, RouteRow, Run, fold
from benchmarks.routes.table import CONNECTIONS, ROUTES, Breaker, Route, as_it_came
from benchmarks.routes.translations import translation_cost
from benchmarks.subjects import Subject, route_environment, start_gateway

Say = Callable[[str], None]


def chosen(plan: Plan) -> list[Route]:
    """The plan's routes, in the tables' order."""
    return [route for route in ROUTES if route.name in plan.routes]


def measure_routes(plan: Plan, program: Path, cores: Cores, scratch: Path, say: Say) -> list[Run]:
    """All runs of the plan's routes. They take turns, so that what changes on the machine hits all alike."""
    routes = chosen(plan)
    if not routes:
        return []
    runs: list[Run] = []
    with ExitStack() as stack:
        scripts = write_scripts(scratch / "scripts.json")
        upstream = stack.enter_context(
            Server(program, "upstream", core=cores.others, log=scratch / "routes-upstream.log", scripts=scripts)
        )
        sink = stack.enter_context(Server(program, "sink", core=cores.others, log=scratch / "routes-sink.log"))
        bench = Bench(program, upstream, sink, cores, scratch)
        for number in range(1, plan.starts + 1):
            say(f"start {number} of {plan.starts}: gateways with providers of every wire")
            with ExitStack() as started:
                gateways: dict[Breaker, Subject] = {
                    breaker: started.enter_context(_start(bench, breaker, number)) for breaker in _breakers(routes)
                }
                turns = [(gateways[route.breaker], gateways[route.breaker].route(route)) for route in routes]
                for gateway, asked in turns:
                    warm_up(bench, gateway, asked, plan.route_warm_up_s)
                for _ in range(plan.runs):
                    for gateway, asked in turns:
                        run = measure_run(bench, gateway, asked, CONNECTIONS, plan.route_seconds, number)
                        say(line(run))
                        runs.append(run)
    return runs


def route_rows(plan: Plan, runs: Sequence[Run]) -> tuple[RouteRow, ...]:
    """One row per route."""
    return tuple(_row(route, runs) for route in chosen(plan))


def _row(route: Route, runs: Sequence[Run]) -> RouteRow:
    own = [run for run in runs if run.shape == route.name]
    row = fold(own)
    if route.kind != "translated":
        return RouteRow(route.name, row)
    pure = translation_cost(route.caller, route.provider)
    plain = [run for run in runs if run.shape == as_it_came(route)]
    if len(plain) != len(own):
        return RouteRow(route.name, row, pure=pure)  # the route to compare with was not asked for
    differences = [(one, one.cpu_us - other.cpu_us) for one, other in zip(own, plain, strict=True)]
    per_event = [more * one.requests / one.events for one, more in differences if one.events]
    return RouteRow(
        route.name,
        row,
        translation_us=statistics.median(more for _, more in differences),
        translation_event_us=statistics.median(per_event) if per_event else None,
        pure=pure,
    )


def _breakers(routes: Sequence[Route]) -> list[Breaker]:
    return sorted({route.breaker for route in routes})


def _start(bench: Bench, breaker: Breaker, number: int) -> Subject:
    scratch = bench.scratch / f"routes-{breaker}-{number}"
    scratch.mkdir(parents=True)
    environment = route_environment(scratch, bench.upstream.address, bench.sink.address, breaker)
    return start_gateway("on", core=bench.cores.measured, scratch=scratch, environment=environment)
