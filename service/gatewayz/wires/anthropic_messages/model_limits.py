"""What a Claude model takes, which its name tells: how it is asked to think, how much it may say, whether it can be made to call
a tool, kept to a schema, and sampled from with a temperature.

From Anthropic's pages "Thinking", "Structured outputs" and "What's new" of each model. Each generation takes less than the one
before: a model newer than these rules is taken to refuse whatever the newest refuses. A name that is no Claude's is another
maker's model behind the same API, of which nothing is known: it is sent what the caller said.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from gatewayz.wires.json_values import Object
from gatewayz.wires.openai_chat.reasoning_effort import ThinkingOptions

_VERSION = re.compile(r"claude-(?:[a-z]+-)?(\d{1,2})(?:[-.](\d{1,2}))?(?!\d)")
_FAMILY = re.compile(r"opus|sonnet|haiku|fable|mythos")
_UNKNOWN = (99, 0)

_BUDGETS = {"minimal": 1_024, "low": 2_048, "medium": 8_192, "high": 16_384, "xhigh": 24_576, "max": 24_576}
_LEAST_BUDGET = 1_024  # Anthropic takes none below it

_EFFORTS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh", "max": "max"}


@dataclass(frozen=True, slots=True)
class Traits:
    """What one model takes."""

    default_max_tokens: int
    """What stands for ``max_tokens`` where a chat caller set none: as much as every model of the generation can say."""
    thinks: Literal["never", "within a budget", "by its own measure"]
    without_thinking: Literal["silence", "disabled", "between_tools", "low effort"]
    """How it is told not to think: for the newest there is no way, and little thinking is the nearest."""
    highest_but_one: Literal["xhigh", "max"]
    """What it calls the effort between high and max."""
    hides_thoughts: bool
    """Shows them only if told to."""
    forced_calls: bool
    """Can be made to call a tool."""
    schemas: bool
    """Keeps to a JSON schema, of its answer and of its calls."""
    sampling: Literal["any", "one", "none"]
    """Which of temperature and top_p it takes: both, only one of them, or neither (nor top_k)."""


_ANOTHERS = Traits(32_000, "by its own measure", "disabled", "xhigh", False, True, True, "any")


def version_of(model: str) -> tuple[int, int]:
    """``claude-sonnet-4-5-20250929`` → (4, 5)."""
    found = _VERSION.search(model)
    return (int(found[1]), int(found[2] or 0)) if found else _UNKNOWN


@lru_cache(maxsize=256)
def traits_of(model: str) -> Traits:
    if "claude" not in model:
        return _ANOTHERS
    version = version_of(model)
    found = _FAMILY.search(model)
    family = found[0] if found else ""
    return Traits(
        default_max_tokens=4_096 if version < (3, 5) else 8_192 if version < (3, 7) else 32_000,
        thinks="never" if version < (3, 7) else "within a budget" if version < (4, 6) else "by its own measure",
        without_thinking=_without_thinking(family, version),
        highest_but_one="max" if version < (4, 7) else "xhigh",
        hides_thoughts=version >= (4, 7),
        forced_calls=(version < (5, 5) and family not in ("fable", "mythos")) or (family, version) == ("haiku", (5, 5)),
        schemas=version >= (4, 5) or (family, version) == ("opus", (4, 1)),
        sampling="any" if version < (4, 1) else "one" if version < (4, 7) else "none",
    )


def _without_thinking(
    family: str, version: tuple[int, int]
) -> Literal["silence", "disabled", "between_tools", "low effort"]:
    if version < (5, 0):
        return "silence"  # unless it is asked to, it does not think
    if family in ("opus", "sonnet", "haiku") and version == (5, 0):
        return "disabled"
    if (family, version) == ("haiku", (5, 5)):
        return "disabled"
    if (family, version) == ("sonnet", (5, 5)):
        return "between_tools"
    return "low effort"


def thinking_of(
    asked: ThinkingOptions, model: str, max_tokens: int, *, free: bool, signed: bool
) -> tuple[Object | None, str | None]:
    """What a chat asks for as ``thinking`` and ``output_config.effort``.

    ``free``: no tool has to be called. ``signed``: the conversation stands where a model that thinks within a budget may begin
    to think. A budget leaves room for an answer: one that was made from an effort takes at most half of ``max_tokens``; where
    less is left than the least budget, there is no thinking.
    """
    traits = traits_of(model)
    if traits.thinks == "never":
        return None, None
    if asked.effort == "none":
        return _none(traits)
    if traits.thinks == "by its own measure":
        effort = None if asked.word is None else _EFFORTS[asked.word]
        if effort == "xhigh":
            effort = traits.highest_but_one
        # A forced call and thinking are refused together; who thinks unasked does so all the same.
        return _adaptive(asked, traits) if free else None, effort
    if asked.budget is not None:
        budget = min(asked.budget, max_tokens - 1)
    else:
        budget = min(_BUDGETS[asked.effort or "medium"], max_tokens // 2)
    if budget < _LEAST_BUDGET or not signed or not free:
        return None, None
    return {"type": "enabled", "budget_tokens": budget}, None


def _none(traits: Traits) -> tuple[Object | None, str | None]:
    match traits.without_thinking:
        case "silence":
            return None, None
        case "low effort":
            return None, "low"
        case kind:
            return {"type": kind}, None


def _adaptive(asked: ThinkingOptions, traits: Traits) -> Object:
    thinking: Object = {"type": "adaptive"}
    if asked.shown is False:
        thinking["display"] = "omitted"
    elif traits.hides_thoughts:
        thinking["display"] = "summarized"  # who asks a model to think by chat is shown it, as everywhere
    return thinking


def sampling_of(given: Object, model: str, *, thinks: bool) -> Object:
    """Of temperature, top_p and top_k what this model takes, and what goes with thinking; the rest is left out. Anthropic's
    temperatures end at 1, and larger ones count as that, as on its own chat endpoint."""
    traits = traits_of(model)
    if traits.sampling == "none":
        return {}
    made = dict(given)
    if "temperature" in made:
        made["temperature"] = min(made["temperature"], 1)
    if thinks:
        if made.get("temperature", 1) != 1:
            del made["temperature"]
        if not 0.95 <= made.get("top_p", 1) <= 1:
            del made["top_p"]
        made.pop("top_k", None)
    if traits.sampling == "one" and "temperature" in made and "top_p" in made:
        # One of them must go: the temperature, if it only says what holds anyway.
        del made["temperature" if made["temperature"] == 1 and made["top_p"] != 1 else "top_p"]
    return made
