"""Is a program there that only the user can provide: Tempo or Loki, on PATH?"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from gatewayz.stack.errors import StackError
from gatewayz.stack.programs.locate import Found, ask


@dataclass(frozen=True, slots=True)
class ProvidedSpec:
    """What the component's ``component.yaml`` says about recognising its program."""

    title: str
    program: str
    version_words: str
    """What ``PROGRAM --version`` prints before the version."""
    oldest: tuple[int, int]
    """Major and minor version that the configuration is written for; a later minor version will do."""
    home: str
    """Where a person gets it."""


def read_provided(folder: Path) -> ProvidedSpec:
    """The description in the component's ``folder``. Raises StackError naming the file and what is wrong with it."""
    path = folder / "component.yaml"
    try:
        raw: dict[str, Any] = yaml.safe_load(path.read_text())  # Any: YAML; every value is converted below
        major, minor = str(raw["oldest"]).split(".")
        return ProvidedSpec(
            title=str(raw["title"]),
            program=str(raw["program"]),
            version_words=str(raw["version_words"]),
            oldest=(int(major), int(minor)),
            home=str(raw["home"]),
        )
    except OSError as error:
        raise StackError(f"{path} cannot be read: {error.strerror}.") from None
    except KeyError as error:
        raise StackError(f"{path} lacks the entry {error}.") from None
    except (yaml.YAMLError, TypeError, ValueError) as error:
        raise StackError(f"{path} is not a component description: {error}") from None


async def find_provided(spec: ProvidedSpec, instead: str, environment: Mapping[str, str]) -> Found:
    """The program on PATH. Raises StackError with what is missing and what to do.

    ``instead`` is the option of `gatewayz up` that chooses the store which is built here.
    """
    path = shutil.which(spec.program, path=environment.get("PATH"))
    wanted = f"{spec.title} {spec.oldest[0]}.{spec.oldest[1]} or a later {spec.oldest[0]}.x"
    advice = (
        f"{spec.title} is never built or downloaded by `gatewayz up`: get it from {spec.home} and put it on PATH, or choose "
        f"`{instead}`, or use `docker compose up`."
    )
    if path is None:
        raise StackError(f"There is no `{spec.program}` on PATH ({wanted} is wanted). {advice}")
    text = await ask(path, "--version", environment)
    match = re.search(rf"{re.escape(spec.version_words)} v?((\d+)\.(\d+)[\w.+-]*)", text)
    if match is None:
        raise StackError(
            f"{path} is not {spec.title}, or does not say its version. {advice}", tuple(text.splitlines()[:3])
        )
    major, minor = int(match[2]), int(match[3])
    if major != spec.oldest[0] or minor < spec.oldest[1]:
        raise StackError(f"{path} is {spec.title} {match[1]}, and {wanted} is wanted. {advice}")
    return Found(Path(path), "PATH", match[1])
