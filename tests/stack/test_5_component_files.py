"""Each component's own checker on its configuration, and the tests of the alert rules."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from gatewayz.stack.components import COMPONENTS
from gatewayz.stack.files import component_files
from gatewayz.stack.programs.locate import locate
from gatewayz.stack.programs.provided import read_provided
from gatewayz.stack.programs.spec import read_spec
from gatewayz.stack.runner import Stack
from gatewayz.stack.stores import STORES

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]

FILES = component_files()


def words(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else " ".join(value)


def collector_files(*stores: str) -> list[str]:
    """Arguments that give the Collector its base and the files of these stores."""
    files = ["otel-collector/config.yaml", *(f"otel-collector/{STORES[store].collector_file}" for store in stores)]
    return [word for file in files for word in ("--config", file)]


async def program_of(stack: Stack, component: str, name: str) -> Path:
    """A program that the running stack has found or built."""
    (folder,) = [known.folder for known in COMPONENTS if known.name == component]
    spec = read_spec(FILES / folder)
    found = await locate(component, spec, FILES, stack.options.cache_dir, stack.options.environment)
    assert found is not None
    return found.program if name == spec.program else found.program.with_name(name)


@pytest.mark.parametrize(
    ("component", "name", "arguments"),
    [
        ("collector", "otelcol", ("validate", *collector_files())),
        ("collector", "otelcol", ("validate", *collector_files("jaeger", "victoria-logs"))),
        ("collector", "otelcol", ("validate", *collector_files("jaeger", "loki"))),
        ("collector", "otelcol", ("validate", *collector_files("tempo", "victoria-logs"))),
        ("collector", "otelcol", ("validate", *collector_files("tempo", "loki"))),
        ("collector", "otelcol", ("validate", *collector_files("jaeger", "tempo", "victoria-logs", "loki"))),
        ("jaeger", "jaeger", ("validate", "--config", "jaeger/jaeger.yaml")),
        ("prometheus", "promtool", ("check", "config", "prometheus/prom.yml")),
        ("prometheus", "promtool", ("test", "rules", "prometheus/rules/tests/telemetry_test.yml")),
        ("prometheus", "promtool", ("test", "rules", "prometheus/rules/tests/stores_test.yml")),
        ("alertmanager", "amtool", ("check-config", "alertmanager/alertmanager.yml")),
        ("alertmanager", "amtool", ("check-config", "alertmanager/alertmanager-webhook.yml")),
    ],
    ids=words,
)
async def test_the_program_itself_accepts_the_file(
    stack: Stack, component: str, name: str, arguments: tuple[str, ...]
) -> None:
    program = await program_of(stack, component, name)

    # The defaults in the files, and nothing of this environment.
    done = subprocess.run(  # noqa: ASYNC221 - a second at most, and nothing else runs
        [program, *arguments], cwd=FILES, env={}, capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("component", "arguments"),
    [
        ("tempo", ("-config.file=tempo/tempo.yaml", "-config.expand-env=true", "-config.verify=true")),
        ("loki", ("-config.file=loki/loki.yaml", "-config.expand-env=true", "-verify-config")),
    ],
)
async def test_a_store_that_only_the_user_can_provide_accepts_the_file(
    component: str, arguments: tuple[str, ...]
) -> None:
    program = shutil.which(read_provided(FILES / component).program)
    if program is None:
        pytest.skip(f"there is no {component} on PATH, and nothing here builds or downloads one")
    done = subprocess.run(  # noqa: ASYNC221 - as above
        [program, *arguments], cwd=FILES, env={}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
