"""Answers as Gemini gives them, for the tests of this folder."""

from __future__ import annotations

from typing import Any

import orjson

from gatewayz.wires.base import AnswerInfo
from gatewayz.wires.sse import event_of

Json = dict[str, Any]

USAGE: Json = {"promptTokenCount": 10, "candidatesTokenCount": 4, "totalTokenCount": 14}
SHAPE = AnswerInfo(
    response_id="chatcmpl-abc123", model="gemini/gemini-2.5-flash", created_s=1_760_000_000, stream=False
)


def text(said: str, **more: Any) -> Json:
    return {"text": said, **more}


def thought(said: str) -> Json:
    return {"text": said, "thought": True}


def call(name: str, args: Json | None = None, *, id: str | None = None, signature: str | None = None) -> Json:
    function: Json = {"name": name, "args": args or {}}
    if id is not None:
        function["id"] = id
    part: Json = {"functionCall": function}
    if signature is not None:
        part["thoughtSignature"] = signature
    return part


def candidate(*parts: Json, reason: str | None = None, index: int = 0, **more: Any) -> Json:
    made: Json = {"content": {"parts": list(parts), "role": "model"}, "index": index, **more}
    if reason is not None:
        made["finishReason"] = reason
    return made


def answer(*candidates: Json, usage: Json | None = USAGE, **more: Any) -> Json:
    made: Json = {"candidates": list(candidates), "modelVersion": "gemini-2.5-flash-001", "responseId": "r-1", **more}
    if usage is not None:
        made["usageMetadata"] = usage
    return made


def whole(made: Json) -> bytes:
    """Gemini prints its whole answers over many lines."""
    return orjson.dumps(made, option=orjson.OPT_INDENT_2)


def event(made: Json) -> bytes:
    return event_of(orjson.dumps(made)).replace(b"\n", b"\r\n")


PLAIN = [
    answer(candidate(text("Grüß ")), usage={"promptTokenCount": 10, "candidatesTokenCount": 1}),
    answer(candidate(text("dich 🌍")), usage={"promptTokenCount": 10, "candidatesTokenCount": 3}),
    answer(candidate(reason="STOP")),
]
THINKING = [
    answer(candidate(thought("Hm, ")), usage={"promptTokenCount": 10, "thoughtsTokenCount": 5}),
    answer(candidate(thought("yes."), text("It is "))),
    answer(
        candidate(text("so."), text("", thoughtSignature="c2ln"), reason="STOP"),
        usage={**USAGE, "thoughtsTokenCount": 7},
    ),
]
TOOLS = [
    answer(candidate(text("Let me look."), call("weather", {"city": "Köln"}, id="fc-1", signature="c2ln"))),
    answer(candidate(call("time", {"zone": "CET", "exact": 1.0}, id="fc-2"))),
    answer(candidate(call("empty"), reason="STOP")),
]
CUT_OFF = [answer(candidate(text("and then"))), answer(candidate(reason="MAX_TOKENS"))]
WITHHELD = [answer(candidate(text("To make"))), answer(candidate(reason="SAFETY"))]
TWO = [
    answer(candidate(text("a"), index=0), candidate(text("b"), index=1)),
    answer(candidate(text("A"), index=0, reason="STOP")),
    answer(candidate(text("B"), index=1, reason="MAX_TOKENS")),
]
BLOCKED = [
    {
        "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
        "usageMetadata": {"promptTokenCount": 10, "totalTokenCount": 10},
        "modelVersion": "gemini-2.5-flash-001",
        "responseId": "r-1",
    }
]
LOGPROBS = [
    answer(
        candidate(
            text("Hi"),
            reason="STOP",
            logprobsResult={
                "chosenCandidates": [{"token": "Hi", "tokenId": 7, "logProbability": -0.25}],
                "topCandidates": [
                    {
                        "candidates": [
                            {"token": "Hi", "tokenId": 7, "logProbability": -0.25},
                            {"token": "Hé", "tokenId": 8, "logProbability": -2.5},
                        ]
                    }
                ],
            },
        )
    )
]
PICTURE = [answer(candidate(text("Here:"), {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}, reason="STOP"))]

STREAMS = {
    "plain": PLAIN,
    "thinking": THINKING,
    "tools": TOOLS,
    "cut off": CUT_OFF,
    "withheld": WITHHELD,
    "two": TWO,
    "blocked": BLOCKED,
    "logprobs": LOGPROBS,
    "picture": PICTURE,
}


def joined(stream: list[Json]) -> Json:
    """The whole answer that says what the stream says."""
    candidates: dict[int, Json] = {}
    made: Json = {}
    for one in orjson.loads(orjson.dumps(stream)):
        made.update({name: value for name, value in one.items() if name != "candidates"})
        for part_of in one.get("candidates", []):
            so_far = candidates.setdefault(part_of["index"], {"content": {"parts": [], "role": "model"}})
            so_far["content"]["parts"].extend(part_of["content"]["parts"])
            so_far.update({name: value for name, value in part_of.items() if name != "content"})
    return {**made, "candidates": list(candidates.values())} if candidates else made
