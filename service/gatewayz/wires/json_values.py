"""Access to JSON from outside: a caller's is checked and refused by name, a provider's is taken as it is.

``Any`` stands for a JSON value here and in the translations: its type is known only after a check.
"""

# A cast is a call, and these functions are called a hundred times for a request.
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gatewayz.errors import InvalidRequest

Object = dict[str, Any]

MAX_COUNT = 2**53
MAX_SHOWN = 64
"""Characters of a caller's text that an error message repeats."""


def object_at(value: Any, path: str) -> Object:
    """A caller's object. Raises InvalidRequest naming ``path``."""
    if not isinstance(value, dict):
        raise wrong_type(path, "an object")
    return value


def list_at(value: Any, path: str) -> list[Any]:
    """A caller's list. Raises InvalidRequest naming ``path``."""
    if not isinstance(value, list):
        raise wrong_type(path, "a list")
    return value


def text_at(value: Any, path: str) -> str:
    """A caller's text. Raises InvalidRequest naming ``path``."""
    if not isinstance(value, str):
        raise wrong_type(path, "a string")
    return value


def object_in(holder: Mapping[str, Any], name: str, path: str) -> Object:
    """A caller's object in the member ``name`` of what is at ``path``. Raises InvalidRequest naming it."""
    value = holder.get(name)
    return value if isinstance(value, dict) else object_at(value, f"{path}.{name}")


def list_in(holder: Mapping[str, Any], name: str, path: str) -> list[Any]:
    """A caller's list in the member ``name`` of what is at ``path``. Raises InvalidRequest naming it."""
    value = holder.get(name)
    return value if isinstance(value, list) else list_at(value, f"{path}.{name}")


def text_in(holder: Mapping[str, Any], name: str, path: str) -> str:
    """A caller's text in the member ``name`` of what is at ``path``. Raises InvalidRequest naming it."""
    value = holder.get(name)
    return value if isinstance(value, str) else text_at(value, f"{path}.{name}")


def object_of(value: Any) -> Object:
    """A provider's object; an empty one where it is something else."""
    return value if isinstance(value, dict) else {}


def list_of(value: Any) -> list[Any]:
    """A provider's list; an empty one where it is something else."""
    return value if isinstance(value, list) else []


def text_of(value: Any) -> str:
    """A provider's text; an empty one where it is something else."""
    return value if isinstance(value, str) else ""


def count_of(value: Any) -> int:
    """A provider's count, never more than a counter holds; 0 where it is something else."""
    return min(value, MAX_COUNT) if isinstance(value, int) and value > 0 and value is not True else 0


def present(members: Mapping[str, Any]) -> Object:
    """The members that are not null: for most members, null means absent."""
    return {name: value for name, value in members.items() if value is not None}


def copied(source: Mapping[str, Any], names: Iterable[str]) -> Object:
    """The members of ``source`` with these names that are present and not null."""
    return {name: source[name] for name in names if source.get(name) is not None}


def shown(value: Any) -> str:
    """A caller's value as an error message may quote it: in JSON's terms, and shortened."""
    match value:
        case str():
            return f"'{value}'" if len(value) <= MAX_SHOWN else f"'{value[:MAX_SHOWN]}…'"
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case list():
            return "a list"
        case _:
            return "an object"


def wrong_type(path: str, wanted: str) -> InvalidRequest:
    return InvalidRequest(f"Invalid value for '{path}': expected {wanted}.", code="invalid_value", param=path)


def no_equal(path: str, reason: str) -> InvalidRequest:
    """The refusal of a member that the caller's wire has and the provider's does not."""
    return InvalidRequest(
        f"'{path}' cannot be sent to this model's provider: {reason}.", code="unsupported_parameter", param=path
    )
