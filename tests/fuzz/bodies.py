"""Request bodies for every endpoint and every provider's wire, valid ones made wrong."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import orjson

from tests.fuzz.client import Posted
from tests.fuzz.corpus import ENDPOINTS, EXTRAS, PROVIDERS, STREAMING
from tests.fuzz.mutations import Mutator, dumped, parts_of, strings_of

_ALL = [*(body for bodies in ENDPOINTS.values() for body in bodies), *EXTRAS.values()]
_SOURCES = {path: [orjson.dumps(body) for body in bodies] for path, bodies in ENDPOINTS.items()}
_EXTRAS = {path: [(name, orjson.dumps(value)) for name, value in extras.items()] for path, extras in EXTRAS.items()}
# Chat, responses and messages have by far the most to get wrong.
_PATHS = [path for path, weight in zip(ENDPOINTS, (5, 2, 1, 5, 5, 1), strict=True) for _ in range(weight)]
_MUTATOR = Mutator([*strings_of(_ALL), "model", "stream"], parts_of(_ALL))


def bodies(random: Random, count: int) -> Iterator[Posted]:
    """So many, all of them from ``random``."""
    for _ in range(count):
        yield _body(random)


def _body(random: Random) -> Posted:
    path = random.choice(_PATHS)
    body = orjson.loads(random.choice(_SOURCES[path]))
    body["model"] = random.choice(PROVIDERS) + "/m"
    if path in STREAMING and random.random() < 0.3:
        body["stream"] = True
    if random.random() < 0.2:
        name, extra = random.choice(_EXTRAS[path])
        body[name] = orjson.loads(extra)
    kind = random.random()
    if kind < 0.85:
        model = body.pop("model")  # nearly always to be kept: without a model nothing is translated
        _MUTATOR.structure(random, body, random.choice((0, 1, 1, 1, 1, 2, 2, 3, 8)))
        if random.random() < 0.97:
            body = {"model": model, **body}
    try:
        data = dumped(body)
    except orjson.JSONEncodeError:  # a number that is too large where its text was not planted
        data = b"{}"
    if kind > 0.8:
        data = _MUTATOR.text(random, data)
    return Posted(path, data)
