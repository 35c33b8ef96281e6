"""What depends on the generation of a Claude model, which its name tells: how it is asked to think, and how much it may say.

Until 4.5 a model thinks within a budget of tokens; since 4.6 it is told how hard to work and finds its own measure, and the
newest refuse a budget. An unknown name is taken for a new model.
"""

from __future__ import annotations

import re

from gatewayz.wires.json_values import Object, wrong_type

_VERSION = re.compile(r"claude-(?:[a-z]+-)?(\d{1,2})(?:[-.](\d{1,2}))?(?!\d)")
_UNKNOWN = (99, 0)

_BUDGETS = {"minimal": 1_024, "low": 2_048, "medium": 8_192, "high": 16_384, "xhigh": 24_576, "max": 24_576}
_LEAST_BUDGET = 1_024  # Anthropic takes none below it

_EFFORTS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh", "max": "max"}


def version_of(model: str) -> tuple[int, int]:
    """``claude-sonnet-4-5-20250929`` → (4, 5)."""
    found = _VERSION.search(model)
    return (int(found[1]), int(found[2] or 0)) if found else _UNKNOWN


def default_max_tokens(model: str) -> int:
    """What stands for ``max_tokens`` where a chat caller set none: as much as every model of the generation can say."""
    version = version_of(model)
    if version < (3, 5):
        return 4_096
    if version < (3, 7):
        return 8_192
    return 32_000


def thinking_of(
    effort: str, model: str, max_tokens: int, *, free: bool, signed: bool
) -> tuple[Object | None, str | None]:
    """Chat's ``reasoning_effort`` as ``thinking`` and ``output_config.effort``.

    ``free``: no tool has to be called. ``signed``: the conversation stands where a model that thinks within a budget may begin
    to think. A budget leaves room for an answer: at most half of ``max_tokens``; where that is less than the least budget,
    there is no thinking.
    """
    if effort == "none":
        return {"type": "disabled"}, None
    if effort not in _EFFORTS:
        raise wrong_type("reasoning_effort", "none, minimal, low, medium, high, xhigh or max")
    if version_of(model) >= (4, 6):
        return {"type": "adaptive"} if free else None, _EFFORTS[effort]
    budget = min(_BUDGETS[effort], max_tokens // 2)
    if budget < _LEAST_BUDGET or not signed or not free:
        return None, None
    return {"type": "enabled", "budget_tokens": budget}, None
