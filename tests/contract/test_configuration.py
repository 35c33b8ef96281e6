"""gatewayz.yaml against a live gateway: a provider in three lines, prices, groups, and reloads that nobody notices."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Generator
from pathlib import Path

import openai
import pytest

from tests.fakes.clients import openai_client
from tests.fakes.gateway import LiveGateway, running_gateway
from tests.fakes.provider.server import FakeLLM, Received
from tests.polling import eventually

FILE = """
providers:
  acme:
    base_url: {url}
    keys: [ACME_KEYS]
    models: [ok]
    prices: {{ok: {{input: 1, output: 2}}}}
models:
  mine: {target}
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, upstream: FakeLLM) -> Path:
    path = tmp_path_factory.mktemp("configuration") / "gatewayz.yaml"
    path.write_text(FILE.format(url=upstream.base_url, target="acme/ok"))
    return path


@pytest.fixture(scope="module")
def configured(tmp_path_factory: pytest.TempPathFactory, file: Path) -> Generator[LiveGateway]:
    environment = {
        "GATEWAYZ_CONFIG_FILE": str(file),
        "ACME_KEYS": "acme-key-1, acme-key-2",
        "GATEWAYZ_DEMO_PACE_S": "0",
    }
    with running_gateway(tmp_path_factory.mktemp("configured"), environment) as live:
        yield live


@pytest.fixture
def sdk(configured: LiveGateway) -> Generator[openai.OpenAI]:
    with openai_client(configured) as one:
        yield one


def ask(client: openai.OpenAI, model: str) -> str:
    answer = client.chat.completions.create(model=model, messages=[{"role": "user", "content": "hi"}])
    return answer.choices[0].message.content or ""


def test_provider_of_three_lines_rotates_its_keys(sdk: openai.OpenAI, upstream: FakeLLM) -> None:
    before = len(upstream.requests)
    for _ in range(3):
        ask(sdk, "acme/ok")
    sent = [received.headers["authorization"] for received in upstream.requests[before:]]
    assert set(sent) == {"Bearer acme-key-1", "Bearer acme-key-2"}
    assert sent[0] == sent[2] != sent[1]


def test_refused_key_fails_no_call_and_cools_down(sdk: openai.OpenAI, upstream: FakeLLM) -> None:
    def refuse_the_first(received: Received) -> str:
        return "401" if "acme-key-1" in received.headers["authorization"] else "ok"

    before = len(upstream.requests)
    upstream.behave = refuse_the_first
    try:
        for _ in range(6):
            assert ask(sdk, "acme/ok")
    finally:
        upstream.behave = None
    sent = [received.headers["authorization"] for received in upstream.requests[before:]]
    assert sent.count("Bearer acme-key-1") == 1
    assert sent.count("Bearer acme-key-2") == 6


def test_cost_is_in_the_log_record(sdk: openai.OpenAI, configured: LiveGateway) -> None:
    ask(sdk, "mine")
    record = eventually(lambda: [one for one in configured.records() if one.get("model") == "mine"])[-1]
    usage = FakeLLM.usage("ok")
    assert record["cost_usd"] == pytest.approx((usage.input_tokens + 2 * usage.output_tokens) / 1e6)


def test_model_list_has_groups_and_the_new_provider(sdk: openai.OpenAI) -> None:
    owners = {model.id: model.owned_by for model in sdk.models.list()}
    assert (owners["mine"], owners["acme/ok"]) == ("gatewayz", "acme")
    assert sdk.models.retrieve("mine").owned_by == "gatewayz"


def test_reload_under_load_fails_no_call_and_a_bad_file_changes_nothing(
    sdk: openai.OpenAI, configured: LiveGateway, file: Path, upstream: FakeLLM
) -> None:
    good = file.read_text()
    done = threading.Event()
    failures: list[Exception] = []
    calls: list[str] = []

    def load() -> None:
        while not done.is_set():
            try:
                calls.append(ask(sdk, "mine"))
            except openai.OpenAIError as error:
                failures.append(error)

    callers = [threading.Thread(target=load) for _ in range(3)]
    for caller in callers:
        caller.start()
    try:
        for text, message in (
            (good + "\n  more: demo/fast\n", "configuration applied"),
            (good + "\nprovidres: {}\n", "configuration rejected, the one before stays in force"),
            (FILE.format(url=upstream.base_url, target="demo/fast"), "configuration applied"),
        ):
            seen = len(configured.records(message))
            served = len(calls)
            file.write_text(text)
            eventually(lambda message=message, seen=seen: len(configured.records(message)) > seen)
            eventually(lambda served=served: len(calls) > served + 5)
    finally:
        done.set()
        for caller in callers:
            caller.join()
    assert failures == []
    rejected = configured.records("configuration rejected, the one before stays in force")
    assert "line 11: providres: there is no such section" in str(rejected[-1]["reason"])
    assert "demo" in ask(sdk, "mine")
    file.write_text(good)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds the workers in /proc")
def test_every_worker_reloads_and_a_dead_one_is_replaced_even_while_the_file_is_bad(
    tmp_path: Path,
) -> None:
    file = tmp_path / "gatewayz.yaml"
    file.write_text("models:\n  mine: demo/fast\n")
    with running_gateway(tmp_path / "data", {"GATEWAYZ_CONFIG_FILE": str(file)}, workers=2) as live:
        eventually(lambda: len(live.records("gateway ready")) == 2)
        os.kill(live.pid, signal.SIGHUP)
        eventually(lambda: len(live.records("configuration applied")) == 2)
        assert len(live.records("gateway ready")) == 2  # nobody was replaced

        file.write_text("models: 7\n")
        rejected = "configuration rejected, the one before stays in force"
        eventually(lambda: len(live.records(rejected)) == 2)
        os.kill(_a_worker_of(live.pid), signal.SIGKILL)
        eventually(lambda: len(live.records("gateway ready")) == 3)
        assert len(live.records(rejected)) == 3
        for _ in range(6):
            with openai_client(live, max_retries=2) as client:
                assert ask(client, "mine")


def _a_worker_of(supervisor: int) -> int:
    """A child that is a worker; the other child tracks multiprocessing's resources."""
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    return next(int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes())
