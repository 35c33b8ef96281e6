"""The generated parts of the documentation: written by ``make docs``, held to the code by ``make check``.

A page written by hand may hold blocks that are not: what stands between ``<!-- generated: NAME -->`` and
``<!-- generated: end -->`` is replaced by what BLOCKS has under that name.

Run from the repository's root: ``python -m tools.docs [--check]``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import get_args

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from gatewayz.config import Section, Settings, settings_of
from gatewayz.configfile.schema import EXAMPLE, GROUP_MEMBERS, PROVIDER_MEMBERS
from gatewayz.providers.catalog import DEMO, shipped_catalog
from gatewayz.queries.addresses import VARIABLES, Addresses
from tools.telemetry_reference import markdown as telemetry_reference

COMPOSE_VARIABLES = (
    "COMPOSE_PROFILES",
    *("PUBLISH_ADDRESS", "GATEWAY_PORT", "GRAFANA_PORT", "PROMETHEUS_PORT"),
    *("GRAFANA_ADMIN_PASSWORD", "ALERT_WEBHOOK_URL", "POSTGRES_PASSWORD", "GATEWAYZ_ENVIRONMENT"),
    *("GATEWAYZ_STACK_TRACE_RETENTION", "GATEWAYZ_STACK_LOG_RETENTION"),
    *("GATEWAYZ_STACK_LOG_DISK", "GATEWAYZ_STACK_MIN_FREE_DISK"),
)

TOOL_ADDRESSES = {
    "gateway": "Address of the gateway.",
    "collector": "Address of the Collector's own metrics (not of the series it makes).",
    "prometheus": "Address of Prometheus.",
    "traces": "Where traces are kept, and in what: `jaeger+http://host:port` or `tempo+http://host:port`.",
    "logs": "Where log lines are kept, and in what: `victorialogs+http://host:port` or `loki+http://host:port`.",
}

BLOCK = re.compile(r"(<!-- generated: (?!end )(\S+) -->\n).*?(<!-- generated: end -->)", re.DOTALL)


def _table(head: tuple[str, ...], rows: Iterable[Iterable[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def _default(field: FieldInfo) -> str:
    if field.default is None:
        return "unset"
    if isinstance(field.default, bool):
        return f"`{str(field.default).lower()}`"
    return f"`{field.default}`" if field.default != "" else "empty"


def _code(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _settings(section: type[Section]) -> str:
    settings = settings_of(section)
    rows = ((f"`{variable}`", _default(field), str(field.description)) for variable, _, field in settings)
    return _table(("variable", "default", "meaning"), rows)


def _tools() -> str:
    rows = [
        (f"`{variable}`", f"`{getattr(Addresses(), name)}`", TOOL_ADDRESSES[name])
        for name, variable in VARIABLES.items()
    ]
    key = ("`GATEWAYZ_API_KEY`", "a key made for this once", "The key they use.")
    return _table(("variable", "default", "meaning"), [*rows, key])


def _providers() -> str:
    rows = (
        (
            f"`{name}`",
            _code(entry.keys) or "none",
            f"`{name.upper()}_BASE_URL`",
            entry.base_url,
            _code((*entry.wires, *(["embeddings"] if entry.embeddings else []))),
        )
        for name, entry in shipped_catalog().items()
        if name != DEMO
    )
    return _table(("provider", "keys", "address override", "default address", "wires"), rows)


def _members(members: Mapping[str, str]) -> str:
    return _table(("member", "meaning"), ((f"`{name}`", meaning) for name, meaning in members.items()))


def _sections() -> dict[str, Callable[[], str]]:
    sections = {name: field.annotation for name, field in Settings.model_fields.items()}
    return {
        f"settings.{name}": partial(_settings, section)
        for name, section in sections.items()
        if isinstance(section, type) and issubclass(section, Section)
    }


BLOCKS: Mapping[str, Callable[[], str]] = {
    **_sections(),
    "tools": _tools,
    "providers": _providers,
    "gatewayz.yaml": lambda: f"```yaml\n{EXAMPLE}```\n",
    "gatewayz.yaml:providers": lambda: _members(PROVIDER_MEMBERS),
    "gatewayz.yaml:models": lambda: _members(GROUP_MEMBERS),
}


def fill(page: str) -> str:
    """``page`` with its blocks generated anew. Raises KeyError for a block that nobody generates."""
    return BLOCK.sub(lambda match: f"{match[1]}\n{BLOCKS[match[2]]()}\n{match[3]}", page)


def example_environment() -> str:
    """.env.example: the settings that people change, commented out."""
    lines = [
        "# Copy to .env for `docker compose up`, or export what you need for `make run`. Everything has a default.",
        "# docs/configuration.md explains each setting.",
        "",
    ]
    for variable, path, field in settings_of(Settings):
        if path[0] != "stack":
            secret = SecretStr in get_args(field.annotation)
            shown = "" if field.default is None or secret else str(field.default)
            lines.append(f"# {variable}={shown}")
    lines += ["", "# `docker compose up` only; the head of docker-compose.yml explains them"]
    lines += [f"# {name}=" for name in COMPOSE_VARIABLES]
    lines += ["", "# Providers: the ones you have keys for"]
    lines += [f"# {entry.keys[0]}=" for entry in shipped_catalog().values() if entry.keys]
    return "\n".join(lines) + "\n"


def generated() -> dict[Path, str]:
    """Every generated file, and every page with generated blocks, with its text."""
    configuration = Path("docs/configuration.md")
    return {
        Path("docs/telemetry.md"): telemetry_reference(),
        configuration: fill(configuration.read_text()),
        Path(".env.example"): example_environment(),
    }


def main() -> int:
    check = "--check" in sys.argv[1:]
    stale = {path: text for path, text in generated().items() if not path.exists() or path.read_text() != text}
    for path, text in stale.items():
        if check:
            print(f"{path} is not what the code says: run `make docs`", file=sys.stderr)  # noqa: T201 - a command
        else:
            path.write_text(text)
            print(f"wrote {path}")  # noqa: T201 - a command
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
