"""YAML with the line of each value, so that an error names the line of the mistake."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any, TypeVar, cast

import msgspec
import yaml

from gatewayz.config import ConfigurationError

MAX_DEPTH = 12
"""Nothing in the schema is nested deeper than half of this; an anchor that holds itself would be without end."""

T = TypeVar("T")
Step = str | int
Trail = tuple[Step, ...]

_STEP = re.compile(r"\.([A-Za-z0-9_]+)|\[(\d+)\]|\[\.\.\.\]")
_NAMED = re.compile(r"field `([^`]+)`")
_KEY_WORDS = frozenset({"key", "api_key", "api_keys", "token", "secret"})


class Document:
    """One YAML file: plain values, and the line of each. ``source`` is its name in messages."""

    def __init__(self, text: str, source: str) -> None:
        self.source = source
        self._lines: dict[Trail, int] = {}
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
            self.value: Any = None if node is None else self._value(loader, node, ())  # Any: whatever YAML may hold
        except yaml.YAMLError as error:
            raise self._not_yaml(error) from None
        finally:
            loader.dispose()

    def mapping(self, *trail: Step) -> dict[str, Any]:
        """The mapping at ``trail``, empty if there is nothing. Raises ConfigurationError if something else is there."""
        value: Any = self.value
        for step in trail:  # the caller has seen a mapping at every step but the last
            value = value.get(step)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise self.error(trail, "must be a mapping of names to values")
        found = cast("dict[Any, Any]", value)
        for name in found:
            if not isinstance(name, str):
                raise self.error((*trail, name), "a name must be text: put it in quotes")
        return cast("dict[str, Any]", found)

    def convert(self, value: object, kind: type[T], trail: Trail) -> T:
        """``value``, which stands at ``trail``, as a ``kind``. Raises ConfigurationError with line, path and reason."""
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            reason, _, path = str(error).partition(" - at `")
            at = (*trail, *_steps(path))
            if (named := _NAMED.search(reason)) and "unknown" in reason:
                at = (*at, named.group(1))
                reason = "there is no such setting"
                if named.group(1) in _KEY_WORDS:
                    reason += "; keys stay in the environment: name their variables under `keys`"
            elif named:
                reason = f"`{named.group(1)}` is missing"
            raise self.error(at, reason[0].lower() + reason[1:]) from None

    def error(self, trail: Sequence[Step], reason: str) -> ConfigurationError:
        """What to raise about the value at ``trail``: names file, line and path."""
        line = next((self._lines[at] for at in _upwards(tuple(trail)) if at in self._lines), None)
        where = self.source if line is None else f"{self.source}, line {line}"
        path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in trail).lstrip(".")
        return ConfigurationError(f"{where}: {f'{path}: ' if path else ''}{reason}.")

    def _value(self, loader: yaml.SafeLoader, node: yaml.Node, trail: Trail) -> Any:
        self._lines.setdefault(trail, node.start_mark.line + 1)
        if len(trail) > MAX_DEPTH:
            raise self.error(trail, "is nested too deeply")
        match node:
            case yaml.MappingNode():
                self._check_repeats(node)
                loader.flatten_mapping(
                    node
                )  # what a merge key brings comes first, so that the mapping's own values win
                found: dict[Any, Any] = {}
                for key_node, value_node in node.value:
                    key = loader.construct_object(key_node)  # pyright: ignore[reportUnknownMemberType]
                    if isinstance(key, (list, dict, set)):
                        raise self.error(trail, "a name must be text")
                    at = (*trail, cast("Step", key))
                    self._lines[at] = key_node.start_mark.line + 1
                    found[key] = self._value(loader, value_node, at)
                return found
            case yaml.SequenceNode():
                return [self._value(loader, item, (*trail, index)) for index, item in enumerate(node.value)]
            case _:
                return loader.construct_object(node)  # pyright: ignore[reportUnknownMemberType]

    def _check_repeats(self, node: yaml.MappingNode) -> None:
        """YAML itself would silently take the last of two values of the same name."""
        lines: dict[str, int] = {}
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                continue
            line = key_node.start_mark.line + 1
            first = lines.get(key_node.value)
            if first is not None:
                raise ConfigurationError(
                    f"{self.source}, line {line}: {key_node.value} is there twice; the first is on line {first}."
                )
            lines[key_node.value] = line

    def _not_yaml(self, error: yaml.YAMLError) -> ConfigurationError:
        mark = getattr(error, "problem_mark", None)
        where = f"{self.source}, line {mark.line + 1}" if mark is not None else self.source
        return ConfigurationError(f"{where}: not valid YAML: {getattr(error, 'problem', None) or 'unreadable'}.")


def read_text(path: PurePath) -> str:
    """The file's text. Raises ConfigurationError if it cannot be read."""
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 - takes a PurePath, too
            return file.read()
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path}: is not UTF-8 text.") from None
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read ({error.strerror}).") from None


def only(document: Document, known: Mapping[str, object] | Sequence[str]) -> None:
    """Raises ConfigurationError for a top-level name that is not ``known``."""
    for name in document.mapping():
        if name not in known:
            raise document.error((name,), f"there is no such section; there are {', '.join(known)}")


def _steps(path: str) -> Iterator[Step]:
    """The steps of a path as msgspec words it: ``$.timeouts.idle_s`` or ``$.keys[0]``."""
    for name, index in _STEP.findall(path):
        if name:
            yield name
        elif index:
            yield int(index)


def _upwards(trail: Trail) -> Iterator[Trail]:
    for length in range(len(trail), -1, -1):
        yield trail[:length]
