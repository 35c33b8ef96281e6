"""The commands as a newcomer meets them: one sentence for each mistake, and an exit status that says it too."""

from __future__ import annotations

import json
import resource
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.gateway import clean_environment, free_port, running_gateway
from tests.polling import eventually


def gatewayz(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gatewayz", *arguments],
        env=clean_environment(**environment),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("GATEWAYZ_PORT", "eighty", "GATEWAYZ_PORT"),
        ("GATEWAYZ_PORT", "99999", "65535"),
        ("GATEWAYZ_LOG_LEVEL", "LOUD", "DEBUG, INFO, WARNING or ERROR"),
        ("GATEWAYZ_WORKERS", "0", "GATEWAYZ_WORKERS"),
        ("GATEWAYZ_TOTAL_TIMEOUT_S", "-1", "GATEWAYZ_TOTAL_TIMEOUT_S"),
        ("OPENAI_BASE_URL", "not an address", "OPENAI_BASE_URL"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "pigeon", "OTEL_EXPORTER_OTLP_PROTOCOL"),
        ("GATEWAYZ_DATABASE_URL", "nonsense", "GATEWAYZ_DATABASE_URL"),
    ],
)
def test_a_wrong_value_ends_the_start_with_its_name(tmp_path: Path, variable: str, value: str, said: str) -> None:
    environment = {
        "GATEWAYZ_PORT": str(free_port()),  # or whoever runs a gateway on 8000 is told about that instead
        "GATEWAYZ_DATA_DIR": str(tmp_path),
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
        variable: value,
    }
    done = gatewayz("serve", **environment)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_busy_port_is_named_with_what_to_do(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = gatewayz("serve", "--port", str(port), "--data-dir", str(tmp_path))
    assert done.returncode == 1
    assert done.stderr == (
        f"gatewayz: Port {port} is in use: stop what listens there, or choose another with --port or GATEWAYZ_PORT.\n"
    )


def test_a_data_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = gatewayz("keys", "create", "test", "--data-dir", str(tmp_path / "file"))
    assert done.returncode == 1
    assert str(tmp_path / "file") in done.stderr
    assert "Traceback" not in done.stderr


def test_keys_are_created_listed_and_revoked(tmp_path: Path) -> None:
    where = ("--data-dir", str(tmp_path))
    created = json.loads(gatewayz("keys", "create", "laptop", "--json", *where).stdout)
    listed = json.loads(gatewayz("keys", "list", "--json", *where).stdout)
    assert [(key["key_id"], key["name"], key["state"]) for key in listed] == [(created["key_id"], "laptop", "active")]
    assert created["key"] not in gatewayz("keys", "list", *where).stdout
    revoked = gatewayz("keys", "revoke", created["key_id"], *where)
    assert revoked.returncode == 0
    assert created["key_id"] in revoked.stdout
    assert json.loads(gatewayz("keys", "list", "--json", *where).stdout)[0]["state"] == "revoked"


def test_revoking_an_unknown_key_is_an_error_message(tmp_path: Path) -> None:
    done = gatewayz("keys", "revoke", "nothing", "--data-dir", str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith("gatewayz: That is not the id of a key")


def test_the_first_key_is_shown_exactly_once(tmp_path: Path) -> None:
    first = gatewayz("keys", "ensure-first", "--data-dir", str(tmp_path))
    again = gatewayz("keys", "ensure-first", "--data-dir", str(tmp_path))
    assert "curl" in first.stdout
    assert first.stdout.count("gz_") == 2  # on its own, and in the request to paste
    assert again.stdout == ""


def test_two_workers_serve_behind_one_port_and_end_with_their_supervisor(tmp_path: Path) -> None:
    with running_gateway(tmp_path, {}, workers=2) as gateway:
        children = _children(gateway.pid)
        assert eventually(lambda: len(gateway.records("gateway ready")) == 2)
        assert len(children) >= 2
    # multiprocessing's own tracker is among the children, and notices a moment later.
    assert eventually(lambda: not [pid for pid in children if Path(f"/proc/{pid}").exists()])


def test_soft_limit_on_open_files_does_not_limit_connections(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(512, soft), hard))  # what the gateway is started with
    try:
        with running_gateway(tmp_path, {}) as gateway:
            line = next(
                one for one in Path(f"/proc/{gateway.pid}/limits").read_text().splitlines() if "open files" in one
            )
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    now_soft, now_hard = line.split()[3:5]
    assert now_hard == str(hard)
    assert int(now_soft) == min(hard, 65_536)


def _children(parent: int) -> list[int]:
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == parent:
                found.append(int(entry.name))
    return found
