"""docker-compose.yml as a user starts it: the services of one profile, and the names they answer to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.unit.components.documents import services

PROFILES = ("lgtm", "native")
"""The choices of stores; ``lgtm`` is on when none is asked for."""

SUFFIX = "-native"
"""What a twin's name has that its original's has not."""


def services_of(profile: str) -> dict[str, dict[str, Any]]:  # a foreign document
    """What ``docker compose --profile PROFILE up`` starts; "" stands for no ``--profile``."""
    return {
        name: service
        for name, service in services().items()
        if "profiles" not in service or profile in service["profiles"]
    }


def service_for(profile: str, name: str) -> dict[str, Any]:  # as above
    """The service of this name in a profile, or its twin."""
    found = services_of(profile)
    return found[name] if name in found else found[name + SUFFIX]


def hosts_of(profile: str) -> set[str]:
    """Names that the services of a profile have for each other: their own, and their aliases."""
    return {host for name, service in services_of(profile).items() for host in (name, *_aliases(service))}


def twins() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:  # as above
    """Each service that knows where the stores are: as it is in lgtm and in native."""
    known = services()
    for name, twin in known.items():
        if name.endswith(SUFFIX):
            yield known[name.removesuffix(SUFFIX)], twin


def _aliases(service: dict[str, Any]) -> list[str]:  # as above
    return service.get("networks", {}).get("default", {}).get("aliases", [])
