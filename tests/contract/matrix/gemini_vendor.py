"""Gemini's generateContent. Google's own types are the oracle: they read every request, and refuse a name they do not know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from google.genai import types

from gatewayz.wires.base import Wire
from tests.contract.matrix.scenario import (
    IMAGE_ADDRESS,
    PDF,
    PNG,
    REFUSED_MESSAGE,
    RETRY_AFTER_S,
    SIGNATURE,
    WAV,
    Answer,
    Json,
    Medium,
    Tokens,
)
from tests.contract.matrix.vendor import Asked, Refusal

_REASONS = {"end": "STOP", "stop sequence": "STOP", "calls": "STOP", "limit": "MAX_TOKENS", "refused": "SAFETY"}


class GeminiVendor:
    wire: Wire = "gemini"
    media: Mapping[Medium, object] = {
        "image": {"inlineData": {"mimeType": "image/png", "data": PNG}},
        "image by address": {"fileData": {"mimeType": "image/png", "fileUri": IMAGE_ADDRESS}},
        "file": {"inlineData": {"mimeType": "application/pdf", "data": PDF}},
        "audio": {"inlineData": {"mimeType": "audio/wav", "data": WAV}},
    }

    def read(self, body: Json, *, native: bool) -> Asked:
        settings: Json = body.get("generationConfig", {})
        config = {name: value for name, value in body.items() if name not in ("contents", "generationConfig")}
        types.GenerateContentConfig.model_validate_json(orjson.dumps(config | settings))
        asked = Asked()  # whether it streams is in the path
        if instruction := body.get("systemInstruction"):
            asked.system = "".join([part["text"] for part in instruction["parts"]])
        for content in body["contents"]:
            types.Content.model_validate_json(orjson.dumps(content))
            for part in content["parts"]:
                self._read_part(part, content["role"], asked)
        for tool in body.get("tools", []):
            asked.tools += [(one["name"], one["parametersJsonSchema"]) for one in tool["functionDeclarations"]]
        match body.get("toolConfig", {}).get("functionCallingConfig"):
            case {"mode": "ANY", "allowedFunctionNames": ["get_weather"]}:
                asked.choice = "one"
            case {"mode": "ANY"}:
                asked.choice = "required"
            case {"mode": "AUTO"}:
                asked.choice = "auto"
            case other:
                assert other is None
        if schema := settings.get("responseJsonSchema"):
            assert settings["responseMimeType"] == "application/json"
            asked.schema = schema
        asked.max_tokens = settings.get("maxOutputTokens")
        asked.temperature = settings.get("temperature")
        asked.stop = settings.get("stopSequences", [])
        asked.thinks = settings.get("thinkingConfig") == {"thinkingLevel": "LOW", "includeThoughts": True}
        asked.logprobs = settings.get("responseLogprobs") is True and settings["logprobs"] == 1
        return asked

    def _read_part(self, part: Json, role: str, asked: Asked) -> None:
        asked.signed = asked.signed or part.get("thoughtSignature") == SIGNATURE
        match part:
            case {"text": text} if role == "user":
                asked.prompt += text
            case {"text": text}:
                asked.said += text
            case {"functionCall": call}:
                asked.calls.append((call["id"], call["name"], call["args"]))
            case {"functionResponse": result}:
                told = result["response"]
                text = told["output"] if "output" in told else orjson.dumps(told).decode()
                asked.results.append((result["id"], text))
            case _:
                asked.medium = part

    def whole(self, answer: Answer, body: Json, model: str) -> Json:
        parts = [*self._thoughts(answer, body)]
        if answer.text:
            parts.append({"text": answer.whole})
        parts += _calls(answer)
        return _answer(model, parts, answer, 0, None, usage())

    def events(self, answer: Answer, body: Json, model: str) -> list[bytes]:
        """One part of a text is one event; calls come whole, and usage grows."""
        said = [_answer(model, [part], None, 0, 0, None) for part in self._thoughts(answer, body)]
        for at, part in enumerate(answer.text):
            logprobs = answer if answer.logprobs else None
            so_far = {**usage(), "candidatesTokenCount": 1}
            said.append(_answer(model, [{"text": part}], logprobs, at, at + 1, so_far, last=False))
        if answer.calls:
            said.append(_answer(model, _calls(answer), None, 0, 0, None))
        last = _answer(model, [{"text": ""}], answer, 0, 0, usage())
        return [_event(one) for one in (*said, last)]

    def _thoughts(self, answer: Answer, body: Json) -> list[Json]:
        shown = camel(body).get("generationConfig", {}).get("thinkingConfig", {}).get("includeThoughts")
        return [{"text": part, "thought": True} for part in answer.thought] if shown else []

    def refusal(self, fault: str) -> Refusal:
        match fault:
            case "error":
                return Refusal(400, _error(400, REFUSED_MESSAGE, "INVALID_ARGUMENT"))
            case "busy":
                details: list[Json] = [
                    {"@type": "type.googleapis.com/google.rpc.Help", "links": []},
                    {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{RETRY_AFTER_S}s"},
                ]
                error = _error(429, "You exceeded your current quota.", "RESOURCE_EXHAUSTED", details)
                return Refusal(429, error)
            case _:
                return Refusal(500, _error(500, "An internal error has occurred.", "INTERNAL"))

    def broken(self) -> bytes:
        return _event(_error(500, "An internal error has occurred.", "INTERNAL"))


def _error(code: int, message: str, status: str, details: list[Json] | None = None) -> Json:
    error: Json = {"code": code, "message": message, "status": status}
    return {"error": {**error, "details": details} if details else error}


def _event(value: Json) -> bytes:
    """Theirs end their lines so."""
    return b"data: " + orjson.dumps(value) + b"\r\n\r\n"


def _calls(answer: Answer) -> list[Json]:
    """Of calls that are made together the first is signed, if any; an id they have none."""
    parts: list[Json] = [{"functionCall": {"name": call.name, "args": call.arguments}} for call in answer.calls]
    if parts and answer.thought:
        parts[0]["thoughtSignature"] = SIGNATURE
    return parts


def _answer(
    model: str,
    parts: list[Json],
    answer: Answer | None,
    start: int,
    stop: int | None,
    counted: Json | None,
    *,
    last: bool = True,
) -> Json:
    candidate: Json = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if answer is not None:
        if last:
            candidate["finishReason"] = _REASONS[answer.ending]
        tokens = [
            {"token": token, "logProbability": logprob}
            for token, logprob in [*zip(answer.text, answer.logprobs, strict=False)][start:stop]
        ]
        if tokens:
            top = [{"candidates": [token]} for token in tokens]
            candidate["logprobsResult"] = {"chosenCandidates": tokens, "topCandidates": top}
    whole: Json = {"candidates": [candidate], "modelVersion": f"{model}-001", "responseId": "theirs"}
    return whole if counted is None else {**whole, "usageMetadata": counted}


def usage() -> Json:
    """Gemini counts thoughts beside the answer."""
    tokens = Tokens()
    return {
        "promptTokenCount": tokens.input,
        "cachedContentTokenCount": tokens.cached,
        "candidatesTokenCount": tokens.output - tokens.thought,
        "thoughtsTokenCount": tokens.thought,
        "totalTokenCount": tokens.input + tokens.output,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": tokens.input}],
    }


_OPAQUE = {"parametersJsonSchema", "responseJsonSchema", "args", "response"}


def camel(made: Any) -> Any:  # Any: JSON
    """Names as Gemini documents them: its client writes some in the other way that protobuf's JSON allows."""
    if isinstance(made, list):
        return [camel(one) for one in made]  # pyright: ignore[reportUnknownVariableType]
    if not isinstance(made, dict):
        return made
    renamed: Json = {}
    for name, value in made.items():  # pyright: ignore[reportUnknownVariableType]
        first, *others = str(name).split("_")  # pyright: ignore[reportUnknownArgumentType]
        key = first + "".join([word.capitalize() for word in others])
        renamed[key] = value if key in _OPAQUE else camel(value)
    return renamed
