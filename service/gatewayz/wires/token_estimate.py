"""About how many tokens a text has, where no provider says so: offline, from sizes, once per call.

Four bytes per token, in any script, is within a quarter of what OpenAI's vocabularies make of prose, code, Markdown, Chinese
and Japanese. JSON inside a text is underestimated by up to a third, Cyrillic overestimated by half. Arguments of tool calls
are known to be JSON and counted as JSON. tests/unit/wires/test_token_estimate.py holds the bounds. No I/O, no clock.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from gatewayz.wires.json_values import list_of, object_of

BYTES_PER_TOKEN = 4
"""Bytes of text in UTF-8."""

JSON_BYTES_PER_TOKEN = 3
"""Bytes of JSON: its punctuation is a token every other byte."""

IMAGE_TOKENS = 1_600  # Anthropic's largest image, after its own scaling
OPENAI_IMAGE_TOKENS = 765  # 1024 × 1024 in high detail: 85 and 170 for each of four tiles
OPENAI_LOW_DETAIL_TOKENS = 85
GEMINI_MEDIA_TOKENS = 1_032  # 1024 × 1024: four tiles of 258
FILE_TOKENS = 1_600  # one page as text and image; the number of pages is unknown without parsing the file

LARGE_BYTES = 262_144
"""A larger request is estimated by its size alone: a walk through it could block other calls."""

_MEDIUM = re.compile(rb'"(?:data:[^"]{64,}|[A-Za-z0-9+/_=-]{4096,})"')
"""Media in JSON: base64 text, or a data URL."""

_PROMPT_MEMBERS = (
    *("messages", "system", "tools", "functions", "response_format", "prompt"),  # chat, Messages, completions
    *("input", "instructions", "text"),  # Responses, embeddings
    *("contents", "systemInstruction", "system_instruction", "requests"),  # Gemini
)
_MEDIA = {
    "inlineData": GEMINI_MEDIA_TOKENS,
    "inline_data": GEMINI_MEDIA_TOKENS,
    "fileData": GEMINI_MEDIA_TOKENS,
    "file_data": FILE_TOKENS,
    "file_id": FILE_TOKENS,
    "input_audio": FILE_TOKENS,
}
_SOURCES = ("base64", "url", "file")
"""Values of ``type`` in Anthropic's ``source`` of an image or a document."""

_CONTENT_MEMBERS = frozenset(
    ("content", "text", "reasoning_content", "reasoning", "refusal", "thinking", "name", "summary", "transcript")
)
_ARGUMENT_MEMBERS = frozenset(("arguments", "input", "args"))


def request_tokens(body: bytes) -> int:
    """About how many input tokens a request has, on any wire. Media count by a fixed number, not by their bytes: an image as
    one of a megapixel by its vendor's rule (765 at OpenAI, 1,032 at Gemini; Anthropic's largest, 1,600), a file as one
    page."""
    if len(body) > LARGE_BYTES:
        text, media = _MEDIUM.subn(b"", body)
        return max(1, len(text) // BYTES_PER_TOKEN + media * IMAGE_TOKENS)
    try:
        members = object_of(orjson.loads(body))
    except orjson.JSONDecodeError:
        return max(1, len(body) // BYTES_PER_TOKEN)
    return input_tokens([members[name] for name in _PROMPT_MEMBERS if name in members])


def input_tokens(values: list[Any]) -> int:
    """About how many tokens these members have, of those that the model sees. Names of members count: they stand for the
    framing of messages. A number counts as one token, as in an embeddings request."""
    size = tokens = 0
    waiting = values
    while waiting:
        found = waiting.pop()
        if isinstance(found, str):
            size += len(found) if found.isascii() else len(found.encode("utf-8", "surrogatepass"))
        elif members := object_of(found):
            if members.get("type") in _SOURCES:
                tokens += IMAGE_TOKENS
                continue
            for name, value in members.items():
                if (media := _MEDIA.get(name)) is not None:
                    tokens += media
                elif name == "image_url":
                    tokens += _openai_image(members, value)
                else:
                    size += len(name)
                    waiting.append(value)
        elif values := list_of(found):
            waiting.extend(values)
        elif found is not None and not isinstance(found, bool):
            tokens += 1
    return max(1, size // BYTES_PER_TOKEN + tokens)


def _openai_image(holder: dict[str, Any], value: Any) -> int:
    low = holder.get("detail") == "low" or object_of(value).get("detail") == "low"
    return OPENAI_LOW_DETAIL_TOKENS if low else OPENAI_IMAGE_TOKENS


def output_tokens(events: int, size: int, spaces: int) -> int:
    """About how many tokens content has: ``size`` bytes with ``spaces`` in ``events`` events of a stream (0 for a whole
    answer).

    Most chat providers send one event per token, and then the number of events is the count. It is not where events hold
    several words or are longer than an average token.
    """
    if size <= 12 * events and spaces <= events + (events >> 3):
        return events
    return max(events, -(-size // BYTES_PER_TOKEN))


def size_of(text: str) -> int:
    """Bytes in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def arguments_size(json_size: int) -> int:
    """The size of a text with as many tokens as ``json_size`` bytes of JSON."""
    return json_size * BYTES_PER_TOKEN // JSON_BYTES_PER_TOKEN


def said_size(value: Any) -> tuple[int, int]:
    """Bytes and spaces of a model's content in a piece of its answer: text, reasoning, names and arguments of tool calls."""
    size = spaces = 0
    waiting: list[Any] = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, str):
            size += size_of(found)
            spaces += found.count(" ")
        elif members := object_of(found):
            for name, member in members.items():
                if name in _ARGUMENT_MEMBERS:
                    raw = member.encode("utf-8", "surrogatepass") if isinstance(member, str) else orjson.dumps(member)
                    size += arguments_size(len(raw))
                    spaces += raw.count(b" ")
                elif name in _CONTENT_MEMBERS or not isinstance(member, str):
                    waiting.append(member)
        elif values := list_of(found):
            waiting.extend(values)
    return size, spaces


def raw_size(raw: bytes) -> tuple[int, int]:
    """Bytes and spaces of content in raw JSON."""
    if raw.startswith(b'"') and b"\\" not in raw:
        return len(raw) - 2, raw.count(b" ")
    try:
        return said_size(orjson.loads(raw))
    except (ValueError, TypeError):  # an unpaired surrogate, or too deep: its length is used
        return len(raw), raw.count(b" ")
