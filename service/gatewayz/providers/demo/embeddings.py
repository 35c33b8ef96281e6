"""What the demo provider embeds: reads the request as OpenAI would, and makes a vector of each input. No I/O, no clock.

A vector is made of the input's tokens, each of which pushes a few of its places up or down: the same text has the same vector,
similar texts have vectors that are near, and all have length 1.
"""

from __future__ import annotations

import hashlib
import math
import struct
from base64 import b64encode
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import orjson
from msgspec import Struct

from gatewayz.providers.demo.tokens import tokens_of

MODEL = "embed"
DIMENSIONS = 256
MAX_DIMENSIONS = 4096
MAX_INPUTS = 2048
MAX_TOKENS = 8192
"""Of one input; the three limits are of the size that OpenAI's are."""
MAX_CHARACTERS = 1_000_000
MAX_NUMBERS = 2**20
"""Of all inputs and of the whole answer: the demo computes where requests are served, and must not hold them up."""

_PLACES = 8
"""How many places a token pushes."""


class _Body(Struct):
    model: str
    input: str | list[str | int | list[int]]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: int | None = None


_DECODER = msgspec.json.Decoder(_Body)


@dataclass(frozen=True, slots=True)
class WrongInput(Exception):
    """Why the request is refused, and the member at fault."""

    reason: str
    member: str | None = None


def embed(body: bytes) -> bytes:
    """The answer to an embeddings request. Raises WrongInput."""
    try:
        request = _DECODER.decode(body)
    except (ValueError, RecursionError) as error:
        raise WrongInput(str(error)) from None
    size = DIMENSIONS if request.dimensions is None else request.dimensions
    if not 1 <= size <= MAX_DIMENSIONS:
        raise WrongInput(f"dimensions must be between 1 and {MAX_DIMENSIONS}.", "dimensions")
    inputs = _inputs(request.input)
    if len(inputs) * size > MAX_NUMBERS:
        raise WrongInput("so many inputs of so many dimensions are too much for a demo.", "input")
    data: list[Mapping[str, Any]] = []
    for index, tokens in enumerate(inputs):
        vector = _vector(tokens, size)
        packed = struct.pack(f"<{size}f", *vector)  # 32-bit floats, little end first, is what base64 stands for here
        shown = b64encode(packed).decode() if request.encoding_format == "base64" else vector
        data.append({"object": "embedding", "index": index, "embedding": shown})
    used = sum(len(tokens) for tokens in inputs)
    usage = {"prompt_tokens": used, "total_tokens": used}
    return orjson.dumps({"object": "list", "data": data, "model": request.model, "usage": usage})


def _inputs(given: str | list[str | int | list[int]]) -> Sequence[Sequence[str]]:
    """The tokens of each input; one that came as numbers is taken at them."""
    items = [given] if isinstance(given, str) else given
    if len({type(one) for one in items}) > 1:
        raise WrongInput("input is a text, texts, tokens, or lists of tokens: not a mixture.", "input")
    if sum(len(one) for one in items if isinstance(one, str)) > MAX_CHARACTERS:
        raise WrongInput(f"all inputs together take up to {MAX_CHARACTERS} characters.", "input")
    if items and isinstance(items[0], int):
        items = [[one for one in items if isinstance(one, int)]]
    if len(items) > MAX_INPUTS:
        raise WrongInput(f"input takes up to {MAX_INPUTS} texts.", "input")
    found = [_tokens(one) for one in items if not isinstance(one, int)]
    if not found or not all(found):
        raise WrongInput("input must not be empty.", "input")
    if max(map(len, found)) > MAX_TOKENS:
        raise WrongInput(f"each input takes up to {MAX_TOKENS} tokens.", "input")
    return found


def _tokens(one: str | list[int]) -> Sequence[str]:
    return tokens_of(one) if isinstance(one, str) else [str(number) for number in one]


def _vector(tokens: Sequence[str], size: int) -> list[float]:
    sums = [0.0] * size
    for token, times in Counter(token.strip().lower() for token in tokens).items():
        pushes = hashlib.blake2s(token.encode("utf-8", "replace"), digest_size=4 * _PLACES).digest()
        for place in range(0, len(pushes), 4):
            number = int.from_bytes(pushes[place : place + 4], "little")
            sums[(number >> 1) % size] += times if number & 1 else -times
    length = math.hypot(*sums)
    if length == 0:  # what pushed up and down came out even
        sums[0] = length = 1.0
    return [value / length for value in sums]
