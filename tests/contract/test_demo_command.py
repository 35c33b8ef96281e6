"""`gatewayz demo` as a user runs it, against a live gateway."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from tests.fakes.gateway import LiveGateway, clean_environment
from tests.polling import eventually


def command(gateway: LiveGateway, *options: str) -> list[str]:
    return [sys.executable, "-m", "gatewayz", "demo", "--gateway", gateway.url, "--seed", "1", *options]


def test_demo_prints_what_was_sent_and_answered(gateway: LiveGateway) -> None:
    done = subprocess.run(
        command(gateway, "--seconds", "3", "--rate", "20", "--api-key", gateway.api_key),
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "\x1b" not in done.stdout
    assert "tool call" in done.stdout
    for outcome in ("200", "400", "401", "404", "429", "502", "cut", "left"):
        assert outcome in done.stdout
    assert done.stderr == ""


def test_ctrl_c_ends_the_demo_with_its_summary(gateway: LiveGateway, tmp_path: Path) -> None:
    output = tmp_path / "demo.log"
    with (
        output.open("wb") as file,
        subprocess.Popen(
            command(gateway, "--seconds", "60", "--rate", "20", "--api-key", gateway.api_key),
            env=clean_environment(),
            stdout=file,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        eventually(lambda: b"Ctrl-C" in output.read_bytes())
        answered = len(gateway.records())
        eventually(lambda: len(gateway.records()) >= answered + 10)
        process.send_signal(signal.SIGINT)
        status = process.wait(timeout=20)

    printed = output.read_text()
    assert status in (0, 130), printed
    assert "Interrupted" in printed
    assert "Traceback" not in printed


def test_demo_without_a_key_creates_one_and_revokes_it(gateway: LiveGateway) -> None:
    done = subprocess.run(
        command(gateway, "--seconds", "1", "--rate", "30", "--data-dir", str(gateway.data_dir)),
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    listed = subprocess.run(
        [sys.executable, "-m", "gatewayz", "keys", "list", "--data-dir", str(gateway.data_dir), "--json"],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert '"name": "gatewayz demo"' in listed.stdout
    assert '"state": "revoked"' in listed.stdout
