"""OpenAI's Responses API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from openai.types.responses.response_create_params import (
    ResponseCreateParamsNonStreaming,
    ResponseCreateParamsStreaming,
)

from gatewayz.wires.base import Wire
from tests.contract.matrix.chat_vendor import openai_broken, openai_refusal
from tests.contract.matrix.scenario import IMAGE_ADDRESS, PDF, PNG, SIGNATURE, Answer, Json, Medium, Tokens
from tests.contract.matrix.typed import assert_fits
from tests.contract.matrix.vendor import Asked, Refusal

REASONING = "rs_theirs"
MESSAGE = "msg_theirs"


class ResponsesVendor:
    wire: Wire = "openai_responses"
    media: Mapping[Medium, object] = {
        "image": {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "auto"},
        "image by address": {"type": "input_image", "image_url": IMAGE_ADDRESS, "detail": "auto"},
        "file": {
            "type": "input_file",
            "filename": "page.pdf",
            "file_data": f"data:application/pdf;base64,{PDF}",
        },
    }

    def read(self, body: Json, *, native: bool) -> Asked:
        known = {name: value for name, value in body.items() if name != "stop"} if native else body
        if not (native and "input_audio" in str(body["input"])):
            assert_fits(
                known, ResponseCreateParamsStreaming if body.get("stream") else ResponseCreateParamsNonStreaming
            )
        assert body["store"] is False
        asked = Asked(stream=bool(body.get("stream")), system=body.get("instructions"))
        for item in body["input"]:
            self._read_item(item, asked)
        asked.tools = [(tool["name"], tool["parameters"]) for tool in body.get("tools", [])]
        assert all(tool["strict"] is True for tool in body.get("tools", []))
        match body.get("tool_choice"):
            case {"type": "function", "name": "get_weather"}:
                asked.choice = "one"
                assert body["parallel_tool_calls"] is False
            case "auto" | "required" as word:
                asked.choice = word
            case other:
                assert other is None
        if form := body.get("text", {}).get("format"):
            assert form["type"] == "json_schema"
            assert form["strict"] is True
            asked.schema = form["schema"]
        asked.max_tokens = body.get("max_output_tokens")
        asked.temperature = body.get("temperature")
        asked.user = body.get("user")
        asked.stop = body.get("stop", [])
        if reasoning := body.get("reasoning"):
            asked.thinks = reasoning["effort"] == "low"
            assert "reasoning.encrypted_content" in body["include"]
        asked.logprobs = body.get("top_logprobs") == 1
        assert not asked.logprobs or "message.output_text.logprobs" in body["include"]
        return asked

    def _read_item(self, item: Json, asked: Asked) -> None:
        match item:
            case {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}:
                asked.calls.append((call_id, name, orjson.loads(arguments)))
            case {"type": "function_call_output", "call_id": call_id, "output": output}:
                asked.results.append((call_id, output))
            case {"type": "reasoning", "id": item_id, "encrypted_content": encrypted}:
                assert not asked.said, "a thought comes before what follows from it"
                asked.signed = (item_id, encrypted) == (REASONING, SIGNATURE)
            case {"role": "system" | "developer", "content": str(content)}:
                asked.system = content
            case {"role": "assistant", "content": content}:
                asked.said += content if isinstance(content, str) else "".join([part["text"] for part in content])
            case {"role": "user", "content": str(content)}:
                asked.prompt += content
            case {"role": "user", "content": [*parts]}:
                asked.prompt += "".join([part["text"] for part in parts if part["type"] == "input_text"])
                (asked.medium,) = [part for part in parts if part["type"] != "input_text"]
            case other:
                raise AssertionError(f"no such item: {other}")

    def whole(self, answer: Answer, body: Json, model: str) -> Json:
        return _Response(answer, body, model).done()

    def events(self, answer: Answer, body: Json, model: str) -> list[bytes]:
        return _Response(answer, body, model).events()

    def refusal(self, fault: str) -> Refusal:
        return openai_refusal(fault)

    def broken(self) -> bytes:
        """Not response.failed, which test_responses.py plays: the other way in which a stream of theirs breaks."""
        error = orjson.loads(openai_broken()[6:])["error"]
        flat = {"type": "error", "code": "server_error", "message": error["message"], "param": None}
        return b"event: error\ndata: " + orjson.dumps({**flat, "sequence_number": 7}) + b"\n\n"


class _Response:
    def __init__(self, answer: Answer, body: Json, model: str) -> None:
        self._answer = answer
        self._body = body
        self._model = model
        self._events: list[bytes] = []
        self._shown = answer.thought if body.get("reasoning", {}).get("summary") else ()

    def response(self, status: str, output: list[Json]) -> Json:
        body = self._body
        incomplete = {"reason": "max_output_tokens"} if status == "incomplete" else None
        return {
            "id": "resp_theirs",
            "object": "response",
            "created_at": 1_760_000_000,
            "status": status,
            "background": False,
            "error": None,
            "incomplete_details": incomplete,
            "instructions": body.get("instructions"),
            "max_output_tokens": body.get("max_output_tokens"),
            "model": f"{self._model}-2026-08-07",
            "output": output,
            "parallel_tool_calls": body.get("parallel_tool_calls", True),
            "previous_response_id": None,
            "reasoning": body.get("reasoning") or {"effort": None, "summary": None},
            "service_tier": "default",
            "store": False,
            "temperature": body.get("temperature", 1.0),
            "text": body.get("text") or {"format": {"type": "text"}},
            "tool_choice": body.get("tool_choice", "auto"),
            "tools": body.get("tools", []),
            "top_p": 1.0,
            "truncation": "disabled",
            "usage": usage() if status != "in_progress" else None,
            "metadata": {},
        }

    def items(self) -> list[Json]:
        answer = self._answer
        items: list[Json] = []
        if answer.thought:
            items.append(
                self._reasoning([{"type": "summary_text", "text": "".join(self._shown)}] if self._shown else [])
            )
        if answer.text:
            items.append(self._message("completed", [self._part(answer.whole)]))
        items += [self._call(number, "".join(call.parts)) for number, call in enumerate(answer.calls)]
        return items

    def done(self) -> Json:
        return self.response("incomplete" if self._answer.ending == "limit" else "completed", self.items())

    def events(self) -> list[bytes]:
        begun = {"response": self.response("in_progress", [])}
        self._say("response.created", **begun)
        self._say("response.in_progress", **begun)
        for index, item in enumerate(self.items()):
            at = {"item_id": item["id"], "output_index": index}
            match item["type"]:
                case "reasoning":
                    self._say("response.output_item.added", output_index=index, item={**item, "summary": []})
                    if self._shown:
                        self._summary({**at, "summary_index": 0})
                case "message":
                    self._say("response.output_item.added", output_index=index, item=self._message("in_progress", []))
                    self._text({**at, "content_index": 0})
                case _:
                    self._arguments(index, item, at)
            self._say("response.output_item.done", output_index=index, item=item)
        done = self.done()
        self._say(f"response.{done['status']}", response=done)
        return self._events

    def _summary(self, at: Json) -> None:
        empty, whole = ({"type": "summary_text", "text": text} for text in ("", "".join(self._shown)))
        self._say("response.reasoning_summary_part.added", **at, part=empty)
        for part in self._shown:
            self._say("response.reasoning_summary_text.delta", **at, delta=part)
        self._say("response.reasoning_summary_text.done", **at, text=whole["text"])
        self._say("response.reasoning_summary_part.done", **at, part=whole)

    def _text(self, at: Json) -> None:
        answer = self._answer
        refused = answer.ending == "refused"
        self._say("response.content_part.added", **at, part=self._part(""))
        for number, part in enumerate(answer.text):
            if refused:
                self._say("response.refusal.delta", **at, delta=part)
            else:
                logprobs = self._logprobs(number, number + 1)
                self._say("response.output_text.delta", **at, delta=part, logprobs=logprobs)
        if refused:
            self._say("response.refusal.done", **at, refusal=answer.whole)
        else:
            self._say("response.output_text.done", **at, text=answer.whole, logprobs=self._logprobs(0, None))
        self._say("response.content_part.done", **at, part=self._part(answer.whole))

    def _arguments(self, index: int, item: Json, at: Json) -> None:
        (call,) = [call for call in self._answer.calls if call.name == item["name"]]
        begun = {**item, "status": "in_progress", "arguments": ""}
        self._say("response.output_item.added", output_index=index, item=begun)
        for part in call.parts:
            self._say("response.function_call_arguments.delta", **at, delta=part)
        self._say("response.function_call_arguments.done", **at, name=item["name"], arguments="".join(call.parts))

    def _say(self, kind: str, **members: Any) -> None:  # Any: JSON
        value = {"type": kind, "sequence_number": len(self._events), **members}
        self._events.append(b"event: " + kind.encode() + b"\ndata: " + orjson.dumps(value) + b"\n\n")

    def _reasoning(self, summary: list[Json]) -> Json:
        sealed = "reasoning.encrypted_content" in self._body.get("include", [])
        return {
            "id": REASONING,
            "type": "reasoning",
            "summary": summary,
            **({"encrypted_content": SIGNATURE} if sealed else {}),
        }

    def _message(self, status: str, content: list[Json]) -> Json:
        return {"id": MESSAGE, "type": "message", "status": status, "role": "assistant", "content": content}

    def _call(self, number: int, arguments: str) -> Json:
        call = self._answer.calls[number]
        ids = {"id": f"fc_theirs_{number}", "call_id": f"call_{call.name}_{number}"}
        return {**ids, "type": "function_call", "status": "completed", "name": call.name, "arguments": arguments}

    def _part(self, text: str) -> Json:
        if self._answer.ending == "refused":
            return {"type": "refusal", "refusal": text}
        logprobs = self._logprobs(0, None) if text else []
        return {"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs}

    def _logprobs(self, start: int, stop: int | None) -> list[Json]:
        tokens = [*zip(self._answer.text, self._answer.logprobs, strict=False)][start:stop]
        return [{**_token(*token), "top_logprobs": [_token(*token)]} for token in tokens]


def _token(token: str, logprob: float) -> Json:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode())}


def usage() -> Json:
    tokens = Tokens()
    return {
        "input_tokens": tokens.input,
        "input_tokens_details": {"cached_tokens": tokens.cached, "cache_write_tokens": 0},
        "output_tokens": tokens.output,
        "output_tokens_details": {"reasoning_tokens": tokens.thought},
        "total_tokens": tokens.input + tokens.output,
    }
