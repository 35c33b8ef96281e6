"""What a model may say and a caller may ask, of no wire yet, for hypothesis to draw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from gatewayz.records import Usage

Json = dict[str, Any]

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
SPOKEN = TEXTS.filter(lambda text: bool(text.strip()))
"""White space alone is no turn: Anthropic refuses it."""
NAMES = st.text("abcdef_", min_size=1, max_size=6)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=4,
)
ARGUMENTS = st.dictionaries(TEXTS, VALUES, max_size=3)


@dataclass(frozen=True, slots=True)
class Said:
    """One answer: its pieces as a stream has them, in this order."""

    thoughts: tuple[str, ...]
    texts: tuple[str, ...]
    calls: tuple[tuple[str, Json], ...]
    """Names and arguments."""
    cut_short: bool
    """By the limit of tokens."""
    fresh: int
    cached: int
    reasoning: int
    visible: int

    @property
    def usage(self) -> Usage:
        return Usage(
            input_tokens=self.fresh + self.cached,
            output_tokens=self.reasoning + self.visible,
            cache_read_tokens=self.cached,
            reasoning_tokens=self.reasoning,
            source="provider",
        )


@st.composite
def answers(draw: st.DrawFn, *, only_text: bool = False) -> Said:
    pieces = st.lists(TEXTS, max_size=3).map(tuple)
    calls = () if only_text else tuple(draw(st.lists(st.tuples(NAMES, ARGUMENTS), max_size=3)))
    texts = draw(pieces) if calls else draw(pieces.filter(bool))
    counts = st.integers(0, 10**6)
    return Said(
        thoughts=() if only_text else draw(pieces),
        texts=texts,
        calls=calls,
        cut_short=not calls and draw(st.booleans()),
        fresh=draw(counts),
        cached=draw(counts),
        reasoning=draw(counts),
        visible=draw(counts),
    )


PIXEL = "iVBORw0KGgo="
IMAGES = st.sampled_from([f"data:image/png;base64,{PIXEL}", "https://example.org/a.png"])
PARTS = st.one_of(
    TEXTS.map(lambda text: {"type": "text", "text": text}),
    IMAGES.map(lambda url: {"type": "image_url", "image_url": {"url": url}}),
)
SCHEMA: Json = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}


def _content(parts: list[Json]) -> Any:
    """Texts without anything else are one string: to that all forms come down."""
    texts = [part["text"] for part in parts if part["type"] == "text"]
    return "\n\n".join(texts) if len(texts) == len(parts) else parts


@st.composite
def conversations(draw: st.DrawFn) -> list[Json]:
    """Chat messages: a system prompt perhaps, turns with text, images, calls and their results."""
    asked = st.lists(PARTS, min_size=1, max_size=3).map(lambda parts: {"role": "user", "content": _content(parts)})
    messages: list[Json] = []
    if draw(st.booleans()):
        messages.append({"role": "system", "content": draw(TEXTS)})
    messages.append(draw(asked))
    for turn in range(draw(st.integers(0, 2))):
        calls = [
            {
                "id": f"call_{turn}_{number}",
                "type": "function",
                "function": {"name": name, "arguments": arguments},
            }
            for number, (name, arguments) in enumerate(
                draw(st.lists(st.tuples(NAMES, st.sampled_from(["{}", '{"city":"Köln"}'])), max_size=3))
            )
        ]
        text = draw(SPOKEN) if not calls or draw(st.booleans()) else None
        messages.append({"role": "assistant", "content": text, **({"tool_calls": calls} if calls else {})})
        messages.extend({"role": "tool", "tool_call_id": call["id"], "content": draw(TEXTS)} for call in calls)
        messages.append(draw(asked))
    return messages


@st.composite
def requests(draw: st.DrawFn) -> Json:
    """Chat requests of members that every wire has."""
    request: Json = {
        "model": "m",
        "messages": draw(conversations()),
        "max_completion_tokens": draw(st.integers(16, 10**5)),  # the least that OpenAI's Responses take
    }
    if draw(st.booleans()):
        request["temperature"] = draw(st.sampled_from([0, 0.5, 1]))
    if draw(st.booleans()):
        request["top_p"] = draw(st.sampled_from([0.1, 1]))
    names = draw(st.lists(NAMES, max_size=3, unique=True))
    if names:
        request["tools"] = [
            {"type": "function", "function": {"name": name, "description": "does", "parameters": SCHEMA}}
            for name in names
        ]
        named = {"type": "function", "function": {"name": names[0]}}
        choice = draw(st.sampled_from([None, "auto", "required", "none", named]))
        if choice is not None:
            request["tool_choice"] = choice
    return request
