"""Which process is this: the resource that every span, metric and log record carries."""

from __future__ import annotations

import platform
import uuid
from collections.abc import Mapping
from urllib.parse import unquote

from opentelemetry.sdk.resources import OsResourceDetector, ProcessResourceDetector, Resource
from opentelemetry.sdk.version import __version__ as sdk_version

from gatewayz import __version__
from gatewayz.errors import ConfigurationError

SERVICE_NAME = "gatewayz-api"


def make_resource(environment: Mapping[str, str]) -> Resource:
    """The SDK's detectors, our defaults, then what OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME set.

    ``service.instance.id`` is a new UUID at every call, so one per worker process: series of two workers must never mix.
    Not even the environment can set it, since all workers share one environment. Command lines stay out: they may hold
    secrets.
    """
    detected = Resource({}).merge(ProcessResourceDetector().detect()).merge(OsResourceDetector().detect())
    attributes: dict[str, str] = {
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.version": sdk_version,
        "host.name": platform.node(),
        "host.arch": platform.machine(),
        "service.name": SERVICE_NAME,
        "service.version": __version__,
        "deployment.environment.name": "development",
    }
    attributes.update(_from_variable(environment.get("OTEL_RESOURCE_ATTRIBUTES", "")))
    if name := environment.get("OTEL_SERVICE_NAME", "").strip():
        attributes["service.name"] = name
    attributes["service.instance.id"] = str(uuid.uuid4())
    return detected.merge(Resource(attributes))


def _from_variable(text: str) -> dict[str, str]:
    attributes: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise ConfigurationError(
                f"OTEL_RESOURCE_ATTRIBUTES must be a list such as name=value,name=value, not {text!r}."
            )
        attributes[name.strip()] = unquote(value.strip())
    return attributes
