"""How much of a long campaign ``make test`` goes through, and how much ``make prove``.

``make test`` takes a tenth, always from the same seeds, so that it says the same to everybody. ``make prove`` takes it all, from
a seed that is drawn anew each time and shown at the top; GATEWAYZ_TEST_SEED repeats it.
"""

from __future__ import annotations

import os
from random import Random, SystemRandom
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from _pytest.mark import ParameterSet

SEED = int(os.environ.get("GATEWAYZ_TEST_SEED") or SystemRandom().randrange(1, 2**32))


def sizes(tenth: int, whole: int) -> list[ParameterSet]:
    """For ``parametrize``: how many of them."""
    return [pytest.param(tenth), pytest.param(whole, marks=pytest.mark.prove)]


def batches(tenth: int, whole: int) -> list[ParameterSet]:
    """For ``parametrize``: the seed of each batch. FUZZ_SEED: that batch only."""
    if only := os.environ.get("FUZZ_SEED"):
        return [pytest.param(int(only))]
    draw = Random(SEED)  # noqa: S311 - a plan is no secret
    drawn = [pytest.param(draw.randrange(2**32), marks=pytest.mark.prove) for _ in range(whole)]
    return [*(pytest.param(number) for number in range(tenth)), *drawn]
