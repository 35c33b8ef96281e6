"""The standard variables, read as OpenTelemetry defines them, with clear words for wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatewayz.config import Settings
from gatewayz.errors import ConfigurationError
from gatewayz.telemetry.delivery.destination import destination
from gatewayz.telemetry.setup import start_telemetry

E = "OTEL_EXPORTER_OTLP_"


def test_no_endpoint_is_no_destination() -> None:
    assert destination("traces", {}) is None
    assert destination("traces", {E + "ENDPOINT": " "}) is None


def test_grpc_is_the_default() -> None:
    to = destination("traces", {E + "ENDPOINT": "http://collector:4317"})
    assert to is not None
    assert (to.protocol, to.address, to.secure) == ("grpc", "collector:4317", False)
    assert to.path == "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
    assert (to.timeout_s, to.gzip, to.headers) == (10, False, ())


@pytest.mark.parametrize(
    ("environment", "secure"),
    [
        ({E + "ENDPOINT": "https://c:4317"}, True),
        ({E + "ENDPOINT": "https://c:4317", E + "INSECURE": "true"}, True),
        ({E + "ENDPOINT": "c:4317"}, True),
        ({E + "ENDPOINT": "c:4317", E + "INSECURE": "true"}, False),
        ({E + "ENDPOINT": "http://c:4317", E + "INSECURE": "false"}, False),
    ],
)
def test_the_scheme_decides_about_tls_and_the_variable_where_there_is_none(
    environment: dict[str, str], secure: bool
) -> None:
    to = destination("logs", environment)
    assert to is not None
    assert to.secure == secure


def test_http_appends_the_path_to_the_general_endpoint_only() -> None:
    http = {E + "PROTOCOL": "http/protobuf"}
    general = destination("logs", {**http, E + "ENDPOINT": "http://c:4318/base/"})
    own = destination("logs", {**http, E + "LOGS_ENDPOINT": "http://c:4318/custom"})
    bare = destination("logs", {**http, E + "LOGS_ENDPOINT": "https://c"})
    assert general is not None
    assert own is not None
    assert bare is not None
    assert (general.path, own.path, bare.path, bare.port) == ("/base/v1/logs", "/custom", "/", 443)


def test_a_signals_own_variable_goes_before_the_general_one(tmp_path: Path) -> None:
    certificate = tmp_path / "ca.pem"
    certificate.write_text("x")
    environment = {
        E + "ENDPOINT": "http://general:4317",
        E + "TRACES_ENDPOINT": "https://own:1",
        E + "HEADERS": "a=1",
        E + "TRACES_HEADERS": "Api-Key=a%3Db, other=2",
        E + "TRACES_COMPRESSION": "gzip",
        E + "TRACES_TIMEOUT": "2.5",
        E + "TRACES_CERTIFICATE": str(certificate),
    }
    traces, logs = destination("traces", environment), destination("logs", environment)
    assert traces is not None
    assert logs is not None
    assert (traces.address, logs.address) == ("own:1", "general:4317")
    assert traces.headers == (("api-key", "a=b"), ("other", "2"))
    assert (traces.gzip, traces.timeout_s, traces.certificate) == (True, 2.5, certificate)
    assert logs.headers == (("a", "1"),)
    assert "a=b" not in repr(traces)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENDPOINT", "ftp://x"),
        ("ENDPOINT", "http://"),
        ("ENDPOINT", "http://x:port"),
        ("PROTOCOL", "http/json"),
        ("COMPRESSION", "zstd"),
        ("TIMEOUT", "soon"),
        ("TIMEOUT", "0"),
        ("INSECURE", "maybe"),
        ("HEADERS", "secret"),
        ("CERTIFICATE", "/nowhere/ca.pem"),
    ],
)
def test_a_wrong_value_is_named_with_its_variable(name: str, value: str) -> None:
    environment = {E + "ENDPOINT": "http://c:4317", E + name: value}
    with pytest.raises(ConfigurationError, match=E + name) as raised:
        destination("metrics", environment)
    if name == "HEADERS":
        assert value not in str(raised.value)


@pytest.mark.parametrize(
    "variable", ["OTEL_METRIC_EXPORT_INTERVAL", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_BSP_SCHEDULE_DELAY"]
)
def test_other_wrong_variables_are_named_too(variable: str) -> None:
    with pytest.raises(ConfigurationError, match=variable):
        start_telemetry(Settings.model_validate({}), {variable: "nonsense"})
