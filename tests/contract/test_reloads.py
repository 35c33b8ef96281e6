"""Reloads as nobody should notice them: twenty under load, with providers that vanish while they answer; and what a reload
changes from one call to the next: prices, keys, wires."""

from __future__ import annotations

import os
import signal
import threading
import urllib.request
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import openai
import pytest

from tests.fakes.clients import openai_client
from tests.fakes.gateway import LiveGateway, running_gateway
from tests.fakes.provider.server import FakeLLM, Received
from tests.polling import eventually

RELOADS = 20
APPLIED = "configuration applied"
REJECTED = "configuration rejected, the one before stays in force"
STREAM = "paced-40-tokens-50-ms"

BASE = """
providers:
  acme:
    base_url: {url}
    keys: [ACME_KEYS]
    models: [ok]
models:
  mine: acme/ok
"""
PASSING = """  passing:
    base_url: {url}
    keys: [PASSING_KEY]
"""


@dataclass
class Rig:
    gateway: LiveGateway
    file: Path
    upstream: FakeLLM
    client: openai.OpenAI

    def write(self, text: str, *, message: str = APPLIED) -> None:
        """Puts the text in the file, and waits until the gateway has said what it thinks of it."""
        seen = len(self.gateway.records(message))
        draft = self.file.with_suffix(".draft")
        draft.write_text(text)
        draft.replace(self.file)
        eventually(lambda: len(self.gateway.records(message)) > seen)

    def ask(self, model: str) -> str:
        answer = self.client.chat.completions.create(model=model, messages=[{"role": "user", "content": "hi"}])
        return answer.choices[0].message.content or ""

    def stream(self, model: str) -> int:
        """The chunks with content of a stream that has to end well."""
        with self.client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": "hi"}], stream=True
        ) as stream:
            chunks = list(stream)
        assert chunks[-1].choices[0].finish_reason == "stop"
        return sum(1 for chunk in chunks if chunk.choices and chunk.choices[0].delta.content)

    def lookups(self, result: str) -> float:
        """How many attempts had a price, or none."""
        series = f'gatewayz_pricing_lookups_total{{result="{result}"}} '
        return next(float(line.removeprefix(series)) for line in self.metrics().splitlines() if line.startswith(series))

    def metrics(self) -> str:
        """The worker's own exposition, without the labels that every series of it has."""
        with urllib.request.urlopen(f"{self.gateway.url}/metrics", timeout=30) as answer:  # noqa: S310 - ours
            return _plain(answer.read().decode())


@pytest.fixture(scope="module")
def base(upstream: FakeLLM) -> str:
    return BASE.format(url=upstream.base_url)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, upstream: FakeLLM, base: str) -> Generator[Rig]:
    directory = tmp_path_factory.mktemp("reloads")
    file = directory / "gatewayz.yaml"
    file.write_text(base)
    environment = {
        "GATEWAYZ_CONFIG_FILE": str(file),
        "ACME_KEYS": "acme-1",
        "DEAD_KEYS": "dead-1",
        "PASSING_KEY": "passing-1",
        "GATEWAYZ_DEMO_PACE_S": "0",
    }
    with (
        running_gateway(directory / "data", environment) as live,
        openai_client(live) as client,
    ):
        yield Rig(live, file, upstream, client)


@pytest.fixture
def rig(running: Rig, base: str) -> Generator[Rig]:
    yield running
    if running.file.read_text() != base:
        running.write(base)


def test_twenty_reloads_under_load_fail_no_call(rig: Rig, base: str, upstream: FakeLLM) -> None:
    """Half of the calls stream, each for longer than a reload is away; in every second file one provider is gone."""
    with_passing = base.replace("models:\n  mine", PASSING.format(url=upstream.base_url) + "models:\n  mine")
    done = threading.Event()
    answered: list[int] = []

    def unary() -> object:
        while not done.wait(0.02):  # enough of a load, and the machine is not ours alone
            assert rig.ask("mine")
            answered.append(1)

    def streaming() -> object:
        while not done.is_set():
            assert rig.stream(f"acme/{STREAM}") == 40
            answered.append(1)

    def passing() -> object:
        return rig.stream(f"passing/{STREAM}")

    def passed() -> int:
        return sum("passing-1" in received.headers["authorization"] for received in list(upstream.requests))

    began = len(rig.gateway.records(APPLIED))
    with ThreadPoolExecutor(4 + RELOADS) as pool:
        callers: list[Future[object]] = [pool.submit(call) for call in (unary, unary, streaming, streaming)]
        try:
            for number in range(RELOADS):
                rig.write((with_passing if number % 2 == 0 else base) + f"  alias-{number}: demo/fast\n")
                assert "demo" in rig.ask(f"alias-{number}")
                if number % 2 == 0:
                    # It is removed by the next file, while this stream runs.
                    seen = passed()
                    callers.append(pool.submit(passing))
                    eventually(lambda seen=seen: passed() > seen)
        finally:
            done.set()
    for caller in callers:
        caller.result()  # raises what failed in there
    assert len(rig.gateway.records(APPLIED)) - began == RELOADS
    assert len(answered) > RELOADS
    with pytest.raises(openai.NotFoundError, match="passing"):
        rig.ask("passing/ok")


def test_bad_file_is_rejected_by_line_counted_and_changes_nothing(rig: Rig, base: str) -> None:
    for text, told in (
        (base.replace("keys: [ACME_KEYS]", "keys: [ACME_KEYS]\n    wires: [openai_chat, soap]"), "line 6: "),
        (base + "  mine: demo/fast\n", "mine is there twice"),
        (base + "\tx", "not valid YAML"),
        (base.replace("acme/ok", "nobody/ok"), "line 8: "),
        ("a: [" * 50, "not valid YAML"),
    ):
        rig.write(text, message=REJECTED)
        reason = str(rig.gateway.records(REJECTED)[-1]["reason"])
        assert reason.startswith("gatewayz.yaml")
        assert told in reason
        assert rig.ask("mine")
    rejected = len(rig.gateway.records(REJECTED))
    assert f'gatewayz_config_reloads_total{{result="rejected"}} {rejected}' in rig.metrics()


def test_sighup_reloads_an_unchanged_file(rig: Rig) -> None:
    seen = len(rig.gateway.records(APPLIED))
    os.kill(rig.gateway.pid, signal.SIGHUP)
    eventually(lambda: len(rig.gateway.records(APPLIED)) > seen)
    assert rig.ask("mine")


def test_new_price_applies_to_the_next_call_and_unpriced_calls_are_counted(rig: Rig, base: str) -> None:
    def cost() -> object:
        raw = rig.client.chat.completions.with_raw_response.create(
            model="acme/ok", messages=[{"role": "user", "content": "hi"}]
        )
        request_id = raw.headers["x-request-id"]
        (record,) = eventually(lambda: [one for one in rig.gateway.records() if one["request_id"] == request_id])
        return record.get("cost_usd", "unpriced")

    def priced(how: str) -> str:
        return base.replace("    models: [ok]\n", f"    models: [ok]\n    prices: {{{how}}}\n")

    usage = FakeLLM.usage("ok")
    unpriced, priced_before = rig.lookups("unpriced"), rig.lookups("priced")
    assert cost() == "unpriced"
    rig.write(priced("ok: {input: 1, output: 2}"))
    assert cost() == pytest.approx((usage.input_tokens + 2 * usage.output_tokens) / 1e6)
    rig.write(priced("'*': {input: 3, output: 0}"))
    assert cost() == pytest.approx(3 * usage.input_tokens / 1e6)
    rig.write(priced("other: {input: 3, output: 0}"))
    assert cost() == "unpriced"
    assert rig.lookups("unpriced") - unpriced == 2
    assert rig.lookups("priced") - priced_before == 2


def test_added_key_heals_a_provider_whose_only_key_is_dead(rig: Rig, base: str, upstream: FakeLLM) -> None:
    def refuse_the_dead(received: Received) -> str | None:
        return "401" if "dead" in received.headers["authorization"] else None

    upstream.behave = refuse_the_dead
    try:
        rig.write(base.replace("[ACME_KEYS]", "[DEAD_KEYS]"))
        with pytest.raises(openai.APIStatusError) as caught:
            rig.ask("mine")
        assert caught.value.status_code == 502  # our key was refused, not the caller's
        rig.write(base.replace("[ACME_KEYS]", "[DEAD_KEYS, ACME_KEYS]"))
        for _ in range(4):
            assert rig.ask("mine")
        rig.write(base)
        assert rig.ask("mine")
    finally:
        upstream.behave = None


def test_provider_that_moves_is_called_at_once_though_its_breaker_was_open(rig: Rig, base: str) -> None:
    rig.write(base.replace("models:\n  mine", PASSING.format(url="http://127.0.0.1:9") + "models:\n  mine"))
    for _ in range(7):  # more than open the breaker
        with pytest.raises(openai.APIStatusError):
            rig.ask("passing/ok")
    with pytest.raises(openai.APIStatusError) as caught:
        rig.ask("passing/ok")
    assert caught.value.status_code == 503  # not called: the breaker is open
    rig.write(base.replace("models:\n  mine", PASSING.format(url=rig.upstream.base_url) + "models:\n  mine"))
    assert rig.ask("passing/ok")


def _plain(exposition: str) -> str:
    """The exposition without what every series of the worker has."""
    lines: list[str] = []
    for line in exposition.splitlines():
        name, brace, rest = line.partition("{")
        labels, _, value = rest.rpartition("} ")
        if not brace:
            lines.append(line)
            continue
        kept = [label for label in labels.split(",") if not label.startswith(("otel_scope", "job=", "instance="))]
        lines.append(f"{name}{{{','.join(kept)}}} {value}")
    return "\n".join(lines)
