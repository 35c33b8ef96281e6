"""A program found on PATH is used only if it is beyond doubt the right one."""

from __future__ import annotations

import pytest

from gatewayz.stack.programs.locate import Found, cache_entry, locate, needed_collector_parts
from gatewayz.stack.programs.spec import read_spec
from tests.unit.stack.miniature import FOLDERS, Miniature

Folder = str


async def look(miniature: Miniature, name: str, folder: Folder, path: str | None = None) -> Found | None:
    environment = miniature.environment() if path is None else {"PATH": path}
    spec = read_spec(miniature.files / folder)
    return await locate(name, spec, miniature.files, miniature.root / "cache", environment)


def say(miniature: Miniature, program: str, version: str) -> None:
    path = miniature.programs / program
    path.write_text(f"#!/bin/sh\necho '{version}'\n")
    path.chmod(0o755)


async def test_program_of_the_wanted_version_is_used(miniature: Miniature) -> None:
    found = await look(miniature, "prometheus", "prometheus")
    assert found == Found(miniature.programs / "prometheus", "PATH", "9.9.9")


@pytest.mark.parametrize(
    "version",
    ["victoria-logs, version 9.9.10", "victoria-logs, version 9.9.9-rc.1", "victoria-logs 9.9.9: plays MIDI files", ""],
)
async def test_another_version_and_another_program_of_that_name_are_not(miniature: Miniature, version: str) -> None:
    say(miniature, "victoria-logs", version)
    assert await look(miniature, "victoria-logs", "victoria-logs") is None


async def test_collector_that_lacks_a_part_of_our_configuration_is_not_used(miniature: Miniature) -> None:
    assert await look(miniature, "collector", "otel-collector") is not None
    config = miniature.files / "otel-collector" / "config.yaml"
    config.write_text("receivers: {otlp: }\nconnectors: {span_metrics/http: }\n")
    (config.parent / "store-x.yaml").write_text("exporters: {otlp_http/x: }\n")
    assert needed_collector_parts(config.parent) == {
        ("receivers", "otlp"),
        ("connectors", "span_metrics"),
        ("exporters", "otlp_http"),
    }
    assert await look(miniature, "collector", "otel-collector") is None


async def test_program_built_before_is_found_in_the_cache_if_whole(miniature: Miniature) -> None:
    bare = "/usr/bin:/bin"
    for name, folder in (("victoria-logs", "victoria-logs"), ("prometheus", "prometheus")):
        spec = read_spec(miniature.files / folder)
        entry = cache_entry(miniature.root / "cache", name, spec)
        entry.mkdir(parents=True)
        assert await look(miniature, name, folder, bare) is None
        (entry / FOLDERS[folder][0]).write_text("")
        assert await look(miniature, name, folder, bare) == Found(entry / spec.program, "cache", "9.9.9")


async def test_program_that_cannot_be_run_is_not_used(miniature: Miniature) -> None:
    path = miniature.programs / "victoria-logs"
    path.write_text("#!/nowhere/interpreter\n")
    assert await look(miniature, "victoria-logs", "victoria-logs") is None
