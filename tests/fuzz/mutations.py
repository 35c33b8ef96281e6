"""JSON made wrong: in its structure, in its text, in its bytes. Everything comes from one seeded ``Random``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Any, cast

import orjson
from orjson import Fragment

Json = Any  # a JSON value, and fragments of what is none
Container = dict[str, Json] | list[Json]

_ODD_VALUES: Sequence[Json] = (
    *(None, True, False, 0, 1, -1, 2, 1.5, -0.0, 1e308, 5e-324, 2**31, 2**53 + 1, 2**63 - 1, -(2**63), 2**64 - 1),
    *(
        "",
        " ",
        "x",
        "\0",
        "a\0b",
        "\u2028",
        "\ufeff",
        "🌍",
        "e\u0301",
        "../..",
        "%00",
        "null",
        "0",
        "{}",
        "[DONE]",
        "\r\n\r\n",
    ),
    *(
        "data:",
        "data:;base64,",
        "data:image/png;base64,%%%",
        "http://[::1",
        "https://example.org/a b",
        "#",
        "#/$defs/x",
    ),
    *(
        [],
        [None],
        [[]],
        [{}],
        [0],
        [""],
        ["x"],
        [1, "x", None],
        {},
        {"": None},
        {"type": None},
        {"type": "x"},
        {"text": 0},
    ),
    *(
        {"type": "text"},
        {"type": "text", "text": None},
        {"$ref": "#"},
        {"anyOf": []},
        {"type": ["string", 1]},
        [True] * 70,
    ),
)
_ODD = [orjson.dumps(value) for value in _ODD_VALUES]
_NOT_JSON: Sequence[bytes] = (
    *(
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"1e999",
        b"-1e999",
        b"01",
        b"1.",
        b".5",
        b"+1",
        b"0x1F",
        b"1_000",
        b"undefined",
    ),
    *(
        b"'x'",
        b'"\\ud800"',
        b'"\\udc00\\ud800"',
        b'"\\x41"',
        b'"\\u00"',
        b'"\t"',
        b'"\0"',
        b'"\xff\xfe"',
        b'"\xed\xa0\x80"',
    ),
    *(
        b'"',
        b"{",
        b"]",
        b"{,}",
        b"[,]",
        b"[1,]",
        b'{"a":1,}',
        b'{"a":1,"a":2}',
        b'{"a"}',
        b"{1:2}",
        b"/**/1",
        b"tru",
        b"nul",
    ),
    *(b"1" * 400, b"-" + b"9" * 30, b"1." + b"0" * 400, b"1e-999", b"0.1e1"),
)
_BYTES: Sequence[bytes] = (
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"\xc0\xaf",
    b"\n",
    b"\r",
    b"{",
    b"}",
    b'"',
    b"\\",
    b",",
)


def strings_of(values: Iterable[Json]) -> list[str]:
    """Every string in ``values``, names of members included: words that mean something somewhere."""
    found: set[str] = set()

    def look(value: Json) -> None:
        if isinstance(value, str):
            found.add(value)
        elif isinstance(value, dict):
            for name, member in cast("dict[str, Json]", value).items():
                found.add(name)
                look(member)
        elif isinstance(value, list):
            for item in cast("list[Json]", value):
                look(item)

    for value in values:
        look(value)
    return sorted(found)


def parts_of(values: Iterable[Json]) -> list[Json]:
    """Every object and list in ``values``, to be planted where it does not belong."""
    return [container for value in values for container in _containers(value)]


def _containers(value: Json) -> list[Container]:
    found: list[Container] = []
    waiting: list[Json] = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            found.append(members := cast("dict[str, Json]", one))
            waiting.extend(members.values())
        elif isinstance(one, list):
            found.append(items := cast("list[Json]", one))
            waiting.extend(items)
    return found


class Mutator:
    """Makes mutants of JSON. ``words`` and ``parts`` are what it plants besides its own odd values."""

    def __init__(self, words: Sequence[str], parts: Sequence[Json]) -> None:
        self._words = words
        # As text, so that each use is an object of its own: what is planted is changed in turn.
        self._parts = [orjson.dumps(part) for part in parts]

    def structure(self, random: Random, value: Container, changes: int) -> None:
        """Changes ``value`` in place, in so many places."""
        for _ in range(changes):
            container = random.choice(_containers(value))
            if isinstance(container, dict):
                self._in_object(random, container)
            else:
                self._in_list(random, container)

    def text(self, random: Random, body: bytes) -> bytes:
        """Changes bytes: cuts, flips, inserts, repeats, replaces."""
        return random.choice(_TEXT_CHANGES)(random, body)

    def odd(self, random: Random) -> Json:
        """A value that most places do not expect."""
        kind = random.random()
        if kind < 0.55:
            return orjson.loads(random.choice(_ODD))
        if kind < 0.7:
            return random.choice(self._words)
        if kind < 0.85:
            return orjson.loads(random.choice(self._parts))
        if kind < 0.88:  # makes the whole body no JSON at all
            return Fragment(random.choice(_NOT_JSON))
        return _large(random)

    def _in_object(self, random: Random, members: dict[str, Json]) -> None:
        if not members or random.random() < 0.15:
            members[random.choice(self._words)] = self.odd(random)
            return
        name = random.choice(list(members))
        match random.randrange(8):
            case 0:
                del members[name]
            case 1:
                members[random.choice(self._words)] = members.pop(name)
            case 2:
                members[name] = [members[name]]
            case 3:
                members[name] = {random.choice(self._words): members[name]}
            case 4 if isinstance(members[name], str):
                members[name] = random.choice(self._words)
            case _:
                members[name] = self.odd(random)

    def _in_list(self, random: Random, items: list[Json]) -> None:
        if not items:
            items.append(self.odd(random))
            return
        place = random.randrange(len(items))
        match random.randrange(6):
            case 0:
                del items[place]
            case 1:
                items.insert(place, items[place])
            case 2:
                items.insert(random.randrange(len(items) + 1), self.odd(random))
            case 3:
                random.shuffle(items)
            case _:
                items[place] = self.odd(random)


def dumped(value: Json) -> bytes:
    """As bytes; repeated references are written out, fragments as they are."""
    return orjson.dumps(value)


def _large(random: Random) -> Json:
    match random.randrange(6):
        case 0:
            return "x" * random.choice((300, 5_000, 70_000))
        case 1:
            depth = random.choice((10, 65, 300, 1_100, 100_000))
            return Fragment(b"[" * depth + b"]" * depth)
        case 2:
            depth = random.choice((10, 65, 300, 1_100, 20_000))
            return Fragment(b'{"a":' * depth + b"0" + b"}" * depth)
        case 3:
            return ["x"] * random.choice((100, 2_000))
        case 4:
            return {f"k{i}": i for i in range(random.choice((100, 1_000)))}
        case _:
            return "".join(
                chr(random.choice((random.randrange(1, 0xD800), random.randrange(0xE000, 0x10FFFF)))) for _ in range(9)
            )


def _truncated(random: Random, body: bytes) -> bytes:
    return body[: random.randrange(len(body) + 1)]


def _flipped(random: Random, body: bytes) -> bytes:
    flipped = bytearray(body)
    for _ in range(random.randrange(1, 4)):
        if flipped:
            flipped[random.randrange(len(flipped))] ^= 1 << random.randrange(8)
    return bytes(flipped)


def _inserted(random: Random, body: bytes) -> bytes:
    place = random.randrange(len(body) + 1)
    return body[:place] + random.choice(_BYTES) + body[place:]


def _repeated(random: Random, body: bytes) -> bytes:
    start = random.randrange(len(body) + 1)
    end = min(len(body), start + random.randrange(1, 60))
    return body[:end] + body[start:]


def _removed(random: Random, body: bytes) -> bytes:
    start = random.randrange(len(body) + 1)
    return body[:start] + body[start + random.randrange(1, 20) :]


def _member_twice(random: Random, body: bytes) -> bytes:
    comma = body.find(b",")
    return body[:-1] + b"," + body[1 : comma if comma > 0 else -1] + b"}"


def _spaced(random: Random, body: bytes) -> bytes:
    return body.replace(b",", random.choice((b" ,\n", b",\r\n\t", b",\x0c", b",\xc2\xa0")), random.randrange(1, 9))


def _framed(random: Random, body: bytes) -> bytes:
    return random.choice(
        (
            b"\xef\xbb\xbf" + body,
            b"\0" + body,
            body + b"\0",
            body + body,
            body + b"\n",
            b"[" + body + b"]",
            b"",
            b" ",
            body[1:],
        )
    )


def _otherwise_encoded(random: Random, body: bytes) -> bytes:
    return body.decode("utf-8", "replace").encode(random.choice(("utf-16", "utf-32", "latin-1", "utf-7")), "replace")


def _noise(random: Random, body: bytes) -> bytes:
    return random.randbytes(random.randrange(200))


_TEXT_CHANGES: Sequence[Callable[[Random, bytes], bytes]] = (
    *(
        _truncated,
        _flipped,
        _inserted,
        _repeated,
        _removed,
        _member_twice,
        _spaced,
        _framed,
        _otherwise_encoded,
        _noise,
    ),
    *(_flipped, _inserted, _member_twice),
)
