"""What a provider may say instead of a valid answer: whole or streamed, wrong in its structure, its text, its order, or cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

import orjson

from tests.fuzz.answers import ANSWERS, CUSTOM_TOOL, Said, stream_bytes
from tests.fuzz.client import Posted
from tests.fuzz.corpus import ENDPOINTS
from tests.fuzz.mutations import Mutator, dumped, parts_of, strings_of
from tests.fuzz.provider import Reply, stream_reply, whole_reply

Fate = Literal["whole", "changed", "cut"]
"""``changed``: the gateway may take it or leave it. ``cut``: it ended, or broke off in the middle of an event, before it had said
that it was over, so that it must not look as if it had ended well."""

PATHS = ("/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/completions")
_SAID = {name: [*said, *(CUSTOM_TOOL if name == "responses" else ())] for name, (_, said) in ANSWERS.items()}
_WHOLES: list[Any] = [one.whole for said in _SAID.values() for one in said]
_EVENTS: list[Any] = [event for said in _SAID.values() for one in said for event in one.events]
_MUTATOR = Mutator([*strings_of([*_WHOLES, *_EVENTS]), "error", "type"], parts_of([*_WHOLES, *_EVENTS]))
_HELLO = {path: orjson.dumps(bodies[0])[1:] for path, bodies in ENDPOINTS.items()}


@dataclass(frozen=True, slots=True)
class Scene:
    """One call, and what its provider answers."""

    posted: Posted
    stream: bool
    same_wire: bool
    fate: Fate
    reply: Reply


def scenes(random: Random, count: int) -> Iterator[Scene]:
    for number in range(count):
        yield _scene(random, number)


def _scene(random: Random, number: int) -> Scene:
    name = random.choice(list(_SAID))
    path = random.choice(PATHS)
    stream = random.random() < 0.6
    # The model's name says which scene it is: the provider finds its words by it.
    head = b'{"model":"%b/%d",%b' % (name.encode(), number, b'"stream":true,' if stream else b"")
    said = random.choice(_SAID[name])
    fate, reply = _streamed(random, name, said) if stream else _whole(random, said)
    same = (name, path) in (("chat", PATHS[0]), ("responses", PATHS[1]), ("messages", PATHS[2]))
    return Scene(Posted(path, head + _HELLO[path]), stream, same, fate, reply)


def _whole(random: Random, said: Said) -> tuple[Fate, Reply]:
    kind = random.random()
    if kind < 0.05:
        return "whole", Reply(whole_reply(orjson.dumps(said.whole)))
    answer = orjson.loads(orjson.dumps(said.whole))
    if kind < 0.85:
        _MUTATOR.structure(random, answer, random.choice((1, 1, 2, 4)))
    data = dumped(answer)
    if kind > 0.75:
        data = _MUTATOR.text(random, data)
    if kind > 0.97 and data:  # shorter than announced
        return "cut", Reply(whole_reply(data)[: -random.randrange(1, len(data) + 1)], close=True)
    return "changed", Reply(whole_reply(data))


def _streamed(random: Random, name: str, said: Said) -> tuple[Fate, Reply]:
    wire = ANSWERS[name][0]
    events: list[Any] = [orjson.loads(orjson.dumps(event)) for event in said.events]
    kind = random.random()
    if kind < 0.05:
        return "whole", Reply(_sent(random, stream_bytes(wire, events)))
    if kind < 0.25:
        return "cut", _cut(random, stream_bytes(wire, events[: _last_word(events)]))
    if kind < 0.75:
        for _ in range(random.choice((1, 1, 2, 4))):
            place = random.randrange(len(events))
            _MUTATOR.structure(random, events[place], random.choice((1, 1, 3)))
    else:
        _reorder(random, events)
    parts = stream_bytes(wire, events)
    if kind > 0.9:
        place = random.randrange(len(parts))
        parts[place] = _MUTATOR.text(random, parts[place])
    if random.random() < 0.1:
        parts.insert(random.randrange(len(parts)), random.choice(_ASIDES))
    return "changed", Reply(_sent(random, parts, ended=random.random() < 0.9), close=True)


def _last_word(events: Sequence[Any]) -> int:
    """The place of the first event that says that the answer is over, or why it is."""
    for place, event in enumerate(events):
        text = orjson.dumps(event)
        if any(word in text for word in _LAST_WORDS):
            return place
    raise AssertionError("a stream without an end")


_LAST_WORDS = (b'"finish_reason":"', b'"finishReason":"', b'"response.completed"', b'"message_stop"')
_ASIDES = (
    *(
        b": ping\n\n",
        b"\n\n",
        b"\r\n",
        b"data\n\n",
        b"data:\n\n",
        b"data: null\n\n",
        b"data: [DONE]\n\n",
        b"data: {}\n\n",
    ),
    *(
        b"event: error\n\n",
        b"data: []\n\n",
        b"data: 1\n\n",
        b'data: "x"\n\n',
        b"retry: 1\nid: 7\n\n",
        b"\xef\xbb\xbf",
        b"\0",
    ),
    *(
        b'data: {"type":"error","error":{"type":"x","message":"secret"}}\n\n',
        b'data: {"error":{"message":"secret"}}\n\n',
    ),
)


def _cut(random: Random, parts: list[bytes]) -> Reply:
    """Not a word of how the answer ends; perhaps the beginning of an event."""
    kept = parts[: random.randrange(len(parts) + 1)] if parts else []
    kept = [part for part in kept if part != b"data: [DONE]\n\n"]
    if kept and random.random() < 0.5:
        kept[-1] = kept[-1][: random.randrange(len(kept[-1]) - 4)]
        if random.random() < 0.5:
            kept.append(b"\n\n")  # and it looks whole
    ended = random.random() < 0.5
    return Reply(_sent(random, kept, ended=ended), close=True)


def _reorder(random: Random, events: list[Any]) -> None:
    for _ in range(random.choice((1, 1, 2))):
        place = random.randrange(len(events))
        match random.randrange(4):
            case 0:
                del events[place]
                if not events:
                    return
            case 1:
                events.insert(place, events[place])
            case 2:
                events.insert(random.randrange(len(events)), random.choice(_EVENTS))
            case _:
                other = random.randrange(len(events))
                events[place], events[other] = events[other], events[place]


def _sent(random: Random, parts: list[bytes], *, ended: bool = True) -> bytes:
    """Cut into chunks anywhere, or event by event."""
    if random.random() < 0.3:
        whole = b"".join(parts)
        size = random.choice((1, 7, 100, 10_000))
        parts = [whole[start : start + size] for start in range(0, len(whole), size)]
    return stream_reply(parts, ended=ended)
