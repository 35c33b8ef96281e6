"""A chat's messages in the form that the strictest chat providers require.

Some accept text only as a string. The chat templates of open models require one system message, and that first. OpenAI
requires tool results right after the calls, and accepts images only from the user. Pure: no I/O, no clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gatewayz.wires.json_values import Object, list_of, object_of, text_of

BETWEEN = "\n\n"
"""Separates texts that were joined."""


def joined(parts: list[Object], between: str = BETWEEN) -> str | list[Object]:
    """Texts joined into one string; the parts unchanged where there is more than text."""
    if parts and all(part["type"] == "text" for part in parts):
        return between.join([part["text"] for part in parts])
    return parts


def one_beginning(messages: list[Object]) -> list[Object]:
    """The messages with the leading system messages joined into one. A later one stays where it is, since it applies from
    there on."""
    count = next((i for i, message in enumerate(messages) if message["role"] != "system"), len(messages))
    if count < 2:
        return messages
    parts = [part for message in messages[:count] for part in _parts(message["content"])]
    return [{"role": "system", "content": joined(parts)}, *messages[count:]]


def answers_first(messages: list[Object]) -> list[Object]:
    """The messages with tool results moved up to the turn that made the calls, in the order in which they came."""
    turns: list[list[Object]] = []
    turn_of: dict[str, list[Object]] = {}
    for message in messages:
        if message["role"] == "tool" and (turn := turn_of.get(message["tool_call_id"])) is not None:
            turn.append(message)
            continue
        turns.append([message])
        for call in list_of(message.get("tool_calls")):
            turn_of[call["id"]] = turns[-1]
    return [message for turn in turns for message in turn]


def pictures_apart(messages: Iterable[Any]) -> list[Object]:
    """The messages with images and other media of tool results moved into the user's turn after them."""
    moved: list[Object] = []
    shown: list[Object] = []
    for message in map(object_of, messages):
        role, content = message.get("role"), message.get("content")
        if role == "tool":
            if isinstance(content, list):
                parts = [object_of(part) for part in list_of(content)]
                shown += [part for part in parts if part.get("type") != "text"]
                texts = [text_of(part.get("text")) for part in parts if part.get("type") == "text"]
                message = {**message, "content": "\n".join(texts)}
        elif shown:
            if role == "user":
                message = {**message, "content": [*shown, *_parts(content)]}
            else:
                moved.append({"role": "user", "content": shown})
            shown = []
        moved.append(message)
    if shown:
        moved.append({"role": "user", "content": shown})
    return moved


def _parts(content: Any) -> list[Object]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else list_of(content)
