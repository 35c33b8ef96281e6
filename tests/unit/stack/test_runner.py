"""The stack as a whole, with programs in miniature."""

from __future__ import annotations

import json
import os
import signal
import socket
from pathlib import Path

import pytest
import requests

from gatewayz.stack.components import COMPONENT_NAMES
from gatewayz.stack.errors import StackError
from gatewayz.stack.runner import Stack
from tests.polling import until
from tests.unit.stack.miniature import Miniature, Recorder, alive

PROGRAMS = {"otelcol", "prometheus", "jaeger", "victoria-logs", "alertmanager"}


def status_of(url: str) -> int:
    return requests.get(url, timeout=5).status_code


def environment_of(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")


async def test_everything_is_ready_when_start_returns(miniature: Miniature) -> None:
    async with Stack(miniature.options()) as stack:
        assert dict(stack.states) == dict.fromkeys(
            ["gateway", *(set(COMPONENT_NAMES) - {"redis-exporter", "tempo", "loki"})], "ready"
        )
        for name in ("gateway", "prometheus", "victoria-logs", "alertmanager"):
            assert status_of(stack.urls[name]) == 200
        assert all(row.source == "PATH" for row in stack.rows() if row.name != "gateway")


async def test_gateway_starts_before_all_components(miniature: Miniature) -> None:
    async with Stack(miniature.options()):
        journal = miniature.journal()
    assert journal[0] == "gateway started"
    assert {line.split()[0] for line in journal[1:]} == PROGRAMS


async def test_stop_follows_the_data_from_gateway_to_stores_and_leaves_no_process(miniature: Miniature) -> None:
    stack = Stack(miniature.options(redis_url="redis://127.0.0.1:6379"))
    await stack.start()
    pids = dict(stack.pids)
    assert set(pids) == {"gateway", *COMPONENT_NAMES} - {"tempo", "loki"}
    await stack.stop()

    ended = [line.split()[0] for line in miniature.journal() if line.endswith(" ended")]
    assert ended[:2] == ["gateway", "otelcol"]
    assert set(ended[2:4]) == {"jaeger", "victoria-logs"}
    assert ended[4] == "prometheus"
    assert set(ended[5:]) == {"alertmanager", "redis_exporter"}
    assert not any(alive(pid) for pid in pids.values())


async def test_collector_is_stopped_only_after_the_last_scrape(miniature: Miniature) -> None:
    recorder = Recorder()
    stack = Stack(miniature.options(last_scrape_s=1), recorder)
    await stack.start()
    await stack.stop()
    assert any("Waiting 1 s until Prometheus has the last requests" in note for note in recorder.notes)


async def test_second_request_to_stop_skips_the_wait_for_the_last_scrape(miniature: Miniature) -> None:
    stack = Stack(miniature.options(last_scrape_s=3600))
    await stack.start()
    stack.hurry()
    await stack.stop()
    assert not stack.pids


async def test_program_that_ignores_term_is_killed_after_its_grace(miniature: Miniature) -> None:
    miniature.behave("gateway", "stubborn")
    stack = Stack(miniature.options(gateway_grace_s=0.3, only=frozenset({"victoria-logs"})))
    await stack.start()
    pid = stack.pids["gateway"]
    await stack.stop()
    assert "gateway was told to end" in miniature.journal()
    assert not alive(pid)


async def test_child_that_dies_while_starting_is_named_with_its_last_lines(miniature: Miniature) -> None:
    miniature.behave("jaeger", "die")
    stack = Stack(miniature.options())
    with pytest.raises(StackError) as caught:
        await stack.start()
    assert "jaeger ended while it was starting (exit status 3)" in str(caught.value)
    assert caught.value.details[-1] == "cannot open the store: it is on fire"
    assert not stack.pids
    assert "gateway ended" in miniature.journal()


async def test_child_that_never_gets_ready_is_stopped_and_named(miniature: Miniature) -> None:
    miniature.behave("victoria-logs", "never ready")
    stack = Stack(miniature.options(ready_timeout_s=1.0, only=frozenset({"victoria-logs"}), gateway=False))
    with pytest.raises(StackError, match="victoria-logs was not ready after 1 s"):
        await stack.start()
    assert not stack.pids


async def test_component_that_dies_later_is_reported_and_started_again(miniature: Miniature) -> None:
    recorder = Recorder()
    async with Stack(miniature.options(), recorder) as stack:
        first = stack.pids["jaeger"]
        stack.signal_component("jaeger", signal.SIGKILL)
        await until(lambda: stack.states["jaeger"] == "restarting", deadline_s=15)
        await until(lambda: stack.states["jaeger"] == "ready" and stack.pids["jaeger"] != first, deadline_s=15)
        assert stack.states["gateway"] == "ready"
    report = next(note for note in recorder.notes if note.startswith("jaeger has ended"))
    assert "killed by SIGKILL" in report
    assert report.endswith("jaeger speaks")


async def test_component_that_keeps_dying_is_given_up_while_the_rest_runs_on(
    miniature: Miniature, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gatewayz.stack.process_supervisor.FIRST_PAUSE_S", 0.01)
    async with Stack(miniature.options()) as stack:
        miniature.behave("jaeger", "die")
        stack.signal_component("jaeger", signal.SIGKILL)
        await until(lambda: stack.states["jaeger"] == "failed", deadline_s=15)
        assert miniature.journal().count("jaeger started") == 6
        assert stack.states["victoria-logs"] == "ready"
        assert status_of(stack.urls["gateway"]) == 200


async def test_gateway_that_dies_is_not_started_again(miniature: Miniature) -> None:
    async with Stack(miniature.options(only=frozenset({"victoria-logs"}))) as stack:
        stack.signal_component("gateway", signal.SIGKILL)
        await stack.lost()
        assert stack.states["gateway"] == "failed"


async def test_component_stopped_on_purpose_stays_down_until_it_is_started(miniature: Miniature) -> None:
    async with Stack(miniature.options()) as stack:
        await stack.stop_component("collector")
        assert stack.states["collector"] == "stopped"
        assert "collector" not in stack.pids
        await stack.start_component("collector")
        assert stack.states["collector"] == "ready"
        before = stack.pids["collector"]
        await stack.restart_component("collector")
        assert stack.pids["collector"] != before
        with pytest.raises(StackError, match="There is no grafana in this stack"):
            await stack.stop_component("grafana")


async def test_busy_port_is_refused_before_anything_starts(miniature: Miniature) -> None:
    options = miniature.options()
    with socket.create_server(("127.0.0.1", options.ports.victoria_logs)):
        stack = Stack(options)
        with pytest.raises(StackError) as caught:
            await stack.start()
    assert f"Port {options.ports.victoria_logs} (victoria-logs) is already in use" in str(caught.value)
    assert f"process {os.getpid()}" in str(caught.value)
    assert "--port victoria-logs=NUMBER or GATEWAYZ_STACK_VICTORIA_LOGS_PORT" in str(caught.value)
    assert miniature.journal() == []


async def test_second_stack_on_the_same_data_is_refused(miniature: Miniature) -> None:
    async with Stack(miniature.options(only=frozenset({"victoria-logs"}))):
        with pytest.raises(StackError, match=rf"Another stack \(process {os.getpid()}\) is running with the data in"):
            await Stack(miniature.options()).start()
    async with Stack(miniature.options(only=frozenset({"victoria-logs"}))):
        pass


async def test_stack_file_lists_what_runs_where_and_that_it_was_stopped(miniature: Miniature) -> None:
    options = miniature.options()
    async with Stack(options) as stack:
        told = json.loads((options.data_dir / "stack.json").read_text())
        assert told["state"] == "running"
        assert told["pid"] == os.getpid()
        assert told["gateway_url"] == stack.urls["gateway"]
        assert told["ports"]["prometheus"] == options.ports.prometheus
        assert {name: part["pid"] for name, part in told["components"].items()} == dict(stack.pids)
        assert all(part["state"] == "ready" for part in told["components"].values())
    told = json.loads((options.data_dir / "stack.json").read_text())
    assert told["state"] == "stopped"
    assert all(part["pid"] is None for part in told["components"].values())


async def test_prometheus_gets_the_ports_of_this_run(miniature: Miniature) -> None:
    options = miniature.options()
    async with Stack(options):
        targets = options.data_dir / "prometheus" / "config" / "targets"
        told = {path.stem: json.loads(path.read_text()) for path in targets.glob("*.json")}
    assert told["gatewayz"] == [{"targets": [f"127.0.0.1:{options.ports.collector_series}"]}]
    assert told["victoria-logs"] == [{"targets": [f"127.0.0.1:{options.ports.victoria_logs}"]}]
    assert told["redis_exporter"] == []


async def test_components_get_no_secrets_of_the_gateway(miniature: Miniature) -> None:
    environment = miniature.environment() | {"OPENAI_API_KEY": "sk-1", "OTEL_SERVICE_NAME": "x", "VL_extra": "kept"}
    async with Stack(miniature.options(environment=environment)) as stack:
        log_store, gateway = environment_of(stack.pids["victoria-logs"]), environment_of(stack.pids["gateway"])
    assert "OPENAI_API_KEY=sk-1" in gateway
    assert "VL_extra=kept" in log_store
    assert not any(entry.startswith(("OPENAI", "OTEL")) for entry in log_store)


async def test_first_key_is_made_and_kept_for_the_closing_notice(miniature: Miniature) -> None:
    async with Stack(miniature.options(first_key=True, only=frozenset({"victoria-logs"}))) as stack:
        assert stack.first_key_notice == "Your first key: gz_secret"


async def test_first_key_is_shown_even_if_the_stack_does_not_come_up(miniature: Miniature) -> None:
    miniature.behave("victoria-logs", "die")
    recorder = Recorder()
    with pytest.raises(StackError):
        await Stack(miniature.options(first_key=True, only=frozenset({"victoria-logs"})), recorder).start()
    assert "\nYour first key: gz_secret\n" in recorder.notes


async def test_unusable_data_directory_is_one_sentence(miniature: Miniature) -> None:
    (miniature.root / "file").write_text("")
    with pytest.raises(StackError, match="cannot be used for data: not a directory"):
        await Stack(miniature.options(data_dir=miniature.root / "file" / "data")).start()
