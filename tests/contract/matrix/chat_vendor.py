"""OpenAI's chat completions (with DeepSeek's ``reasoning_content``, the customary place for thoughts) and older completions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming as ChatParams
from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming as ChatStreamParams
from openai.types.completion_create_params import CompletionCreateParamsNonStreaming, CompletionCreateParamsStreaming

from gatewayz.wires.base import Wire
from tests.contract.matrix.scenario import (
    IMAGE_ADDRESS,
    PDF,
    PNG,
    REFUSED_MESSAGE,
    RETRY_AFTER_S,
    WAV,
    Answer,
    Json,
    Medium,
    Tokens,
)
from tests.contract.matrix.typed import assert_fits
from tests.contract.matrix.vendor import Asked, Refusal, data

DONE = b"data: [DONE]\n\n"
_REASONS = {"end": "stop", "stop sequence": "stop", "calls": "tool_calls", "limit": "length", "refused": "stop"}


class ChatVendor:
    wire: Wire = "openai_chat"
    media: Mapping[Medium, object] = {
        "image": {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
        "image by address": {"type": "image_url", "image_url": {"url": IMAGE_ADDRESS}},
        "file": {
            "type": "file",
            "file": {"filename": "page.pdf", "file_data": f"data:application/pdf;base64,{PDF}"},
        },
        "audio": {"type": "input_audio", "input_audio": {"data": WAV, "format": "wav"}},
    }

    def read(self, body: Json, *, native: bool) -> Asked:
        # A chat's caller gives thoughts back as their SDK kept them, in members that no SDK has a type for.
        if not native or "reasoning_effort" not in body:
            assert_fits(body, ChatStreamParams if body.get("stream") else ChatParams)
        asked = Asked(stream=bool(body.get("stream")))
        assert not asked.stream or body["stream_options"] == {"include_usage": True}
        for message in body["messages"]:
            self._read_message(message, asked)
        asked.tools = [(tool["function"]["name"], tool["function"]["parameters"]) for tool in body.get("tools", [])]
        match body.get("tool_choice"):
            case {"type": "function", "function": {"name": "get_weather"}}:
                asked.choice = "one"
                assert body["parallel_tool_calls"] is False
            case "auto" | "required" as word:
                asked.choice = word
            case other:
                assert other is None
        if form := body.get("response_format"):
            assert form["type"] == "json_schema"
            assert form["json_schema"]["strict"] is True
            asked.schema = form["json_schema"]["schema"]
        asked.max_tokens = body.get("max_completion_tokens")
        asked.temperature = body.get("temperature")
        asked.user = body.get("user")
        asked.stop = body.get("stop") or []
        asked.thinks = body.get("reasoning_effort") == "low"
        asked.logprobs = bool(body.get("logprobs")) and body["top_logprobs"] == 1
        return asked

    def _read_message(self, message: Json, asked: Asked) -> None:
        content: Any = message.get("content")
        match message["role"]:
            case "system" | "developer":
                asked.system = content
            case "user" if isinstance(content, str):
                asked.prompt += content
            case "user":
                asked.prompt += "".join([part["text"] for part in content if part["type"] == "text"])
                (asked.medium,) = [part for part in content if part["type"] != "text"]
            case "assistant":
                asked.said += content or ""
                asked.calls += [
                    (call["id"], call["function"]["name"], orjson.loads(call["function"]["arguments"]))
                    for call in message["tool_calls"]
                ]
            case "tool":
                asked.results.append((message["tool_call_id"], content))
            case other:
                raise AssertionError(f"no such role: {other}")

    def whole(self, answer: Answer, body: Json, model: str) -> Json:
        message: Json = {"role": "assistant", "content": answer.whole or None, "refusal": None, "annotations": []}
        if answer.ending == "refused":
            message |= {"content": None, "refusal": answer.whole}
        if answer.thought:
            message["reasoning_content"] = "".join(answer.thought)
        if answer.calls:
            message["tool_calls"] = [
                {**_head(number, call.name), "function": {"name": call.name, "arguments": "".join(call.parts)}}
                for number, call in enumerate(answer.calls)
            ]
        choice = {
            "index": 0,
            "message": message,
            "logprobs": _logprobs(answer, 0, None),
            "finish_reason": _REASONS[answer.ending],
        }
        return {**_base(model, "chat.completion"), "choices": [choice], "usage": usage()}

    def events(self, answer: Answer, body: Json, model: str) -> list[bytes]:
        deltas: list[tuple[Json, Json | None]] = [({"role": "assistant", "content": "", "refusal": None}, None)]
        deltas += [({"reasoning_content": part}, None) for part in answer.thought]
        member = "refusal" if answer.ending == "refused" else "content"
        deltas += [({member: part}, _logprobs(answer, at, at + 1)) for at, part in enumerate(answer.text)]
        for number, call in enumerate(answer.calls):
            head = {**_head(number, call.name), "function": {"name": call.name, "arguments": ""}}
            deltas.append(({"tool_calls": [{"index": number, **head}]}, None))
            deltas += [
                ({"tool_calls": [{"index": number, "function": {"arguments": part}}]}, None) for part in call.parts
            ]
        counted = bool(body.get("stream_options", {}).get("include_usage"))
        base = {**_base(model, "chat.completion.chunk"), **({"usage": None} if counted else {})}

        def chunk(delta: Json, logprobs: Json | None = None, reason: str | None = None) -> bytes:
            choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": reason}
            return data({**base, "choices": [choice]})

        events = [chunk(delta, logprobs) for delta, logprobs in deltas]
        events.append(chunk({}, reason=_REASONS[answer.ending]))
        if counted:
            events.append(data({**base, "choices": [], "usage": usage()}))
        return [*events, DONE]

    def refusal(self, fault: str) -> Refusal:
        return openai_refusal(fault)

    def broken(self) -> bytes:
        return openai_broken()


class CompletionsVendor:
    """Takes one text and gives one back."""

    wire: Wire = "openai_completions"
    media: Mapping[Medium, object] = {}

    def read(self, body: Json, *, native: bool) -> Asked:
        assert native
        plain = {name: value for name, value in body.items() if name != "response_format"}  # vLLM has it here, too
        assert_fits(
            plain, CompletionCreateParamsStreaming if body.get("stream") else CompletionCreateParamsNonStreaming
        )
        asked = Asked(stream=bool(body.get("stream")), prompt=body["prompt"])
        assert not asked.stream or body["stream_options"] == {"include_usage": True}
        asked.max_tokens, asked.temperature = body["max_tokens"], body["temperature"]
        asked.user, asked.stop = body["user"], body.get("stop") or []
        asked.logprobs = body.get("logprobs") == 1
        if form := body.get("response_format"):
            asked.schema = form["json_schema"]["schema"]
        return asked

    def whole(self, answer: Answer, body: Json, model: str) -> Json:
        choice = {
            "text": answer.whole,
            "index": 0,
            "logprobs": _flat_logprobs(answer, 0, None),
            "finish_reason": "content_filter" if answer.ending == "refused" else _REASONS[answer.ending],
        }
        return {**_base(model, "text_completion"), "choices": [choice], "usage": usage()}

    def events(self, answer: Answer, body: Json, model: str) -> list[bytes]:
        reason = "content_filter" if answer.ending == "refused" else _REASONS[answer.ending]
        said = [
            {"text": part, "index": 0, "logprobs": _flat_logprobs(answer, at, at + 1), "finish_reason": None}
            for at, part in enumerate(answer.text)
        ]
        said.append({"text": "", "index": 0, "logprobs": None, "finish_reason": reason})
        counted = bool(body.get("stream_options", {}).get("include_usage"))
        base = {**_base(model, "text_completion"), **({"usage": None} if counted else {})}
        events = [data({**base, "choices": [choice]}) for choice in said]
        if counted:
            events.append(data({**base, "choices": [], "usage": usage()}))
        return [*events, DONE]

    def refusal(self, fault: str) -> Refusal:
        return openai_refusal(fault)

    def broken(self) -> bytes:
        return openai_broken()


def openai_error(kind: str, message: str, code: str | None = None, param: str | None = None) -> Json:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def openai_refusal(fault: str) -> Refusal:
    match fault:
        case "error":
            return Refusal(400, openai_error("invalid_request_error", REFUSED_MESSAGE, "too_dull", "messages"))
        case "busy":
            error = openai_error("requests", "Rate limit reached for org-x on requests per min.", "rate_limit_exceeded")
            return Refusal(429, error, {"retry-after": str(RETRY_AFTER_S)})
        case _:
            return Refusal(500, openai_error("server_error", "The server had an error."))


def openai_broken() -> bytes:
    return data(openai_error("server_error", "The server had an error while processing your request."))


def unrecognized(member: str) -> Refusal:
    """What OpenAI says of a member that it does not know."""
    return Refusal(400, openai_error("invalid_request_error", f"Unrecognized request argument supplied: {member}"))


def usage() -> Json:
    tokens = Tokens()
    return {
        "prompt_tokens": tokens.input,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.input + tokens.output,
        "prompt_tokens_details": {"cached_tokens": tokens.cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": tokens.thought,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _base(model: str, kind: str) -> Json:
    prefix = "cmpl" if kind == "text_completion" else "chatcmpl"
    return {
        "id": f"{prefix}-theirs",
        "object": kind,
        "created": 1_760_000_000,
        "model": f"{model}-2026-08-07",
        "service_tier": "default",
        "system_fingerprint": "fp_44709d6fcb",
    }


def _head(number: int, name: str) -> Json:
    return {"id": f"call_{name}_{number}", "type": "function"}


def _token(token: str, logprob: float) -> Json:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode())}


def _logprobs(answer: Answer, start: int, stop: int | None) -> Json | None:
    tokens = [*zip(answer.text, answer.logprobs, strict=False)][start:stop]
    content = [{**_token(*token), "top_logprobs": [_token(*token)]} for token in tokens]
    return {"content": content, "refusal": None} if content else None


def _flat_logprobs(answer: Answer, start: int, stop: int | None) -> Json | None:
    tokens = [*zip(answer.text, answer.logprobs, strict=False)][start:stop]
    if not tokens:
        return None
    offset = len("".join(answer.text[:start]))
    return {
        "tokens": [token for token, _ in tokens],
        "token_logprobs": [logprob for _, logprob in tokens],
        "top_logprobs": [{token: logprob} for token, logprob in tokens],
        "text_offset": [offset + len("".join([one for one, _ in tokens[:at]])) for at in range(len(tokens))],
    }
