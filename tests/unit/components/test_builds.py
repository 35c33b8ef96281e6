"""One version everywhere: what is built natively is what the image holds."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from gatewayz.stack.programs.toolchain import OLDEST_GO, OLDEST_GO_TEXT, new_enough
from tests.unit.components.documents import BUILT, PROVIDED, ROOT, STORE_FILES, load, services


def build_of(component: str) -> tuple[Path, dict[str, Any]]:  # a foreign document
    folder = ROOT / component / "build"
    return folder, load(folder / "component.yaml")


@pytest.mark.parametrize("component", BUILT)
def test_image_of_compose_is_the_one_of_the_build(component: str) -> None:
    _, build = build_of(component)
    assert services()[component]["image"] == build["image"]


@pytest.mark.parametrize("component", BUILT)
def test_image_tag_is_the_version(component: str) -> None:
    _, build = build_of(component)
    tag = build["image"].rpartition(":")[2]
    assert tag.removeprefix("v") == build["version"]


@pytest.mark.parametrize("component", BUILT)
def test_program_will_know_its_version_and_be_recognised_by_it(component: str) -> None:
    _, build = build_of(component)
    (linked,) = build["link_variables"].values()
    assert linked.endswith(build["version"])
    assert build["version_line"].endswith(linked)


@pytest.mark.parametrize(
    ("component", "module", "version"),
    [
        ("otel-collector", "go.opentelemetry.io/collector/otelcol", "v0.155.0"),
        ("prometheus", "github.com/prometheus/prometheus", "v0.315.0"),  # 3.15.0 as a module
        ("jaeger", "github.com/jaegertracing/jaeger", "v1.76.0"),  # 2.13.0 as a module
        ("victoria-logs", "github.com/VictoriaMetrics/VictoriaLogs", "v1.52.1"),
        ("alertmanager", "github.com/prometheus/alertmanager", "v0.31.1"),
        ("redis-exporter", "github.com/oliver006/redis_exporter", "v1.88.0"),
    ],
)
def test_pinned_module_is_the_version_of_the_image(component: str, module: str, version: str) -> None:
    folder, _ = build_of(component)
    assert re.search(
        rf"^(require )?\s*{re.escape(module)} {re.escape(version)}$", (folder / "go.mod").read_text(), re.M
    )


@pytest.mark.parametrize("component", BUILT)
def test_build_needs_no_newer_go_and_is_verified_by_a_committed_sum(component: str) -> None:
    folder, _ = build_of(component)
    module = (folder / "go.mod").read_text()
    (release,) = re.findall(r"^go (1\.26\.\d+)$", module, re.M)
    assert new_enough(OLDEST_GO_TEXT)
    assert tuple(map(int, release.split("."))) <= OLDEST_GO
    assert "toolchain" not in module
    assert len((folder / "go.sum").read_text().splitlines()) > 10


def test_no_module_under_the_agpl_is_in_any_build() -> None:
    """Grafana's modules without a permissive licence of their own; the ones that others need are Apache-2.0."""
    for path in (*ROOT.glob("*/build/go.mod"), *ROOT.glob("*/build/go.sum")):
        assert not re.search(r"github\.com/grafana/(tempo|loki|grafana|mimir|pyroscope)\b", path.read_text()), path
    assert not any((ROOT / component / "build").exists() for component in PROVIDED)


@pytest.mark.parametrize("component", PROVIDED)
def test_image_of_a_component_that_is_not_built_is_the_one_its_configuration_is_for(component: str) -> None:
    described = load(ROOT / component / "component.yaml")
    assert services()[component]["image"] == described["image"] == f"grafana/{component}:{described['version']}"
    assert described["version"].startswith(f"{described['oldest']}.")


@pytest.mark.parametrize("component", BUILT)
def test_every_program_comes_from_a_pinned_module_or_from_the_folder(component: str) -> None:
    folder, build = build_of(component)
    module = (folder / "go.mod").read_text()
    required = re.findall(r"^(?:require )?\s*(\S+) v\S+", module, re.M)
    for package in build["programs"]:
        if package == ".":
            assert (folder / "main.go").is_file()
        else:
            assert any(package == name or package.startswith(f"{name}/") for name in required)


@pytest.mark.parametrize("component", BUILT)
def test_cost_of_a_build_is_told(component: str) -> None:
    _, build = build_of(component)
    assert set(build["cost"]) == {
        "download_mb",
        "build_disk_mb",
        "build_s",
        "build_memory_mb",
        "binary_mb",
        "memory_mb",
    }
    assert all(isinstance(value, int) and value > 0 for value in build["cost"].values())


def test_collector_is_built_with_every_part_that_its_configuration_uses() -> None:
    source = (ROOT / "otel-collector" / "build" / "main.go").read_text()
    packages = {
        "batch": "batchprocessor",
        "file_storage": "filestorage",
        "filter": "filterprocessor",
        "forward": "forwardconnector",
        "health_check": "healthcheckextension",
        "memory_limiter": "memorylimiterprocessor",
        "otlp": "otlpreceiver",
        "otlp_http": "otlphttpexporter",
        "nop": "nopexporter",
        "prometheus": "prometheusexporter",
        "resource": "resourceprocessor",
        "span_metrics": "spanmetricsconnector",
        "transform": "transformprocessor",
    }
    for path in (ROOT / "otel-collector" / "config.yaml", *STORE_FILES):
        configuration = load(path)
        for kind in ("receivers", "processors", "connectors", "exporters", "extensions"):
            for name in configuration.get(kind, {}):
                assert f"{packages[name.partition('/')[0]]}.NewFactory()" in source
