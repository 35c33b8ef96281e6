"""Whether a JSON value is what a vendor's SDK would send: held against the SDK's own types of its parameters.

Stricter than a validator made of them: a member that a type does not have is a misfit, not ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Required, Union, cast, get_args, get_origin, get_type_hints

from typing_extensions import is_typeddict

_LIKE_A_LIST = ("list", "Iterable", "Sequence", "SequenceNotStr", "List")


def assert_fits(value: object, hint: object) -> None:
    """AssertionError with the place and the reason where ``value`` is nothing that the SDK's type allows."""
    misfit = _misfit(value, hint, "$")
    assert misfit is None, misfit


def _misfit(value: object, hint: object, path: str) -> str | None:
    origin = get_origin(hint)
    arguments = get_args(hint)
    if hint is Any or hint is object:
        return None
    if hint in (None, NoneType):
        return None if value is None else f"{path}: not null"
    if origin is Literal:
        return None if value in arguments else f"{path}: {value!r} is none of {arguments}"
    if origin in (Union, UnionType):
        misfits = [_misfit(value, option, path) for option in arguments]
        # The option that fits furthest down is the one that was meant.
        return (
            None if None in misfits else max(cast("list[str]", misfits), key=lambda one: one.split(":")[0].count("."))
        )
    if origin is not None and getattr(origin, "__name__", str(origin)) in (
        "Required",
        "NotRequired",
        "Annotated",
        "ReadOnly",
    ):
        return _misfit(value, arguments[0], path)
    if origin is Required:
        return _misfit(value, arguments[0], path)
    if is_typeddict(hint):
        return _members_misfit(value, hint, path)
    return _plain_misfit(value, hint, path)


def _members_misfit(value: object, hint: object, path: str) -> str | None:
    if not isinstance(value, dict):
        return f"{path}: not an object"
    members = cast("dict[str, object]", value)
    hints = _hints(hint)
    # A type of theirs that says nothing is a plain mapping.
    for name, member in members.items():
        if name not in hints:
            return f"{path}.{name}: {getattr(hint, '__name__', hint)} has no such member"
        if (misfit := _misfit(member, hints[name], f"{path}.{name}")) is not None:
            return misfit
    missing = [name for name, one in hints.items() if get_origin(one) is Required and name not in members]
    return f"{path}: {missing} are missing" if missing else None


@cache
def _hints(typed_dict: object) -> Mapping[str, object]:
    return get_type_hints(typed_dict, include_extras=True)


def _plain_misfit(value: object, hint: object, path: str) -> str | None:
    origin, arguments = get_origin(hint), get_args(hint)
    kind = getattr(origin or hint, "__name__", "")
    if kind in ("IO", "PathLike"):
        return f"{path}: not a file"
    if kind in _LIKE_A_LIST:
        if not isinstance(value, list):
            return f"{path}: not a list"
        for index, one in enumerate(cast("list[object]", value)):
            if arguments and (misfit := _misfit(one, arguments[0], f"{path}.[{index}]")) is not None:
                return misfit
        return None
    if kind in ("dict", "Dict", "Mapping"):
        if not isinstance(value, dict):
            return f"{path}: not an object"
        for name, one in cast("dict[str, object]", value).items():
            if arguments and (misfit := _misfit(one, arguments[1], f"{path}.{name}")) is not None:
                return misfit
        return None
    if hint is float:
        fits = isinstance(value, int | float) and not isinstance(value, bool)
    elif hint is int:
        fits = isinstance(value, int) and not isinstance(value, bool)
    elif isinstance(hint, type):
        fits = isinstance(value, hint)
    else:
        raise TypeError(f"{path}: the SDK has a type that this module does not know: {hint!r}")
    return None if fits else f"{path}: {value!r:.80} is no {kind}"
