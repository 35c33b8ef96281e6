"""Anthropic's Messages API."""

from __future__ import annotations

from collections.abc import Mapping

from anthropic.types.message_create_params import MessageCreateParamsNonStreaming, MessageCreateParamsStreaming

from gatewayz.wires.base import Wire
from tests.contract.matrix.scenario import (
    IMAGE_ADDRESS,
    PDF,
    PNG,
    REFUSED_MESSAGE,
    RETRY_AFTER_S,
    SIGNATURE,
    Answer,
    Json,
    Medium,
    Tokens,
)
from tests.contract.matrix.typed import assert_fits
from tests.contract.matrix.vendor import Asked, Refusal, named

_REASONS = {
    "end": "end_turn",
    "stop sequence": "stop_sequence",
    "calls": "tool_use",
    "limit": "max_tokens",
    "refused": "refusal",
}
WRITTEN_TO_CACHE = 4


class MessagesVendor:
    wire: Wire = "anthropic_messages"
    media: Mapping[Medium, object] = {
        "image": {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
        "image by address": {"type": "image", "source": {"type": "url", "url": IMAGE_ADDRESS}},
        "file": {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
            "title": "page.pdf",
        },
    }

    def read(self, body: Json, *, native: bool) -> Asked:
        # The API has it for models up to 4.6; their SDK has it no more.
        typed = {name: value for name, value in body.items() if name not in ("temperature", "logprobs")}
        assert native or "logprobs" not in body
        assert_fits(typed, MessageCreateParamsStreaming if body.get("stream") else MessageCreateParamsNonStreaming)
        asked = Asked(stream=bool(body.get("stream")), system=body.get("system"), max_tokens=body["max_tokens"])
        speakers = [message["role"] for message in body["messages"]]
        assert speakers == ["user", "assistant", "user"][: len(speakers)]
        for message in body["messages"]:
            blocks = message["content"]
            for block in [{"type": "text", "text": blocks}] if isinstance(blocks, str) else blocks:
                self._read_block(block, message["role"], asked)
        asked.tools = [(tool["name"], tool["input_schema"]) for tool in body.get("tools", [])]
        assert all(tool["strict"] is True for tool in body.get("tools", []))
        match body.get("tool_choice"):
            case {"type": "tool", "name": "get_weather", "disable_parallel_tool_use": True}:
                asked.choice = "one"
            case {"type": "any"}:
                asked.choice = "required"
            case {"type": "auto"}:
                asked.choice = "auto"
            case other:
                assert other is None
        config = body.get("output_config", {})
        if form := config.get("format"):
            assert form["type"] == "json_schema"
            asked.schema = form["schema"]
        asked.temperature = body.get("temperature")
        asked.user = body.get("metadata", {}).get("user_id")
        asked.stop = body.get("stop_sequences", [])
        match body.get("thinking"):
            case {"type": "enabled", "budget_tokens": int()}:
                asked.thinks = True
            case {"type": "adaptive"}:
                asked.thinks = config["effort"] == "low"
            case other:
                assert other is None
        return asked

    def _read_block(self, block: Json, role: str, asked: Asked) -> None:
        match block["type"]:
            case "text" if role == "user":
                asked.prompt += block["text"]
            case "text":
                asked.said += block["text"]
            case "tool_use":
                asked.calls.append((block["id"], block["name"], block["input"]))
            case "tool_result":
                asked.results.append((block["tool_use_id"], block["content"]))
            case "thinking":
                assert not asked.said, "a thought comes before what follows from it"
                asked.signed = (block["thinking"], block["signature"]) == ("Hm, let me see.", SIGNATURE)
            case _:
                asked.medium = block

    def whole(self, answer: Answer, body: Json, model: str) -> Json:
        content: list[Json] = []
        if answer.thought:
            content.append({"type": "thinking", "thinking": "".join(answer.thought), "signature": SIGNATURE})
        if answer.text:
            content.append({"type": "text", "text": answer.whole})
        content += [
            {"type": "tool_use", "id": _id(number), "name": call.name, "input": call.arguments}
            for number, call in enumerate(answer.calls)
        ]
        return {
            **_message(model),
            "content": content,
            "stop_reason": _REASONS[answer.ending],
            "stop_sequence": "STOP" if answer.ending == "stop sequence" else None,
            "usage": usage(),
        }

    def events(self, answer: Answer, body: Json, model: str) -> list[bytes]:
        begun = {**usage(), "output_tokens": 1}
        del begun["output_tokens_details"]
        start: Json = {**_message(model), "content": [], "stop_reason": None, "stop_sequence": None, "usage": begun}
        blocks: list[tuple[Json, list[Json]]] = []
        if answer.thought:
            said: list[Json] = [{"type": "thinking_delta", "thinking": part} for part in answer.thought]
            said.append({"type": "signature_delta", "signature": SIGNATURE})
            blocks.append(({"type": "thinking", "thinking": "", "signature": ""}, said))
        if answer.text:
            said = [{"type": "text_delta", "text": part} for part in answer.text]
            blocks.append(({"type": "text", "text": ""}, said))
        for number, call in enumerate(answer.calls):
            said = [{"type": "input_json_delta", "partial_json": part} for part in ("", *call.parts)]
            blocks.append(({"type": "tool_use", "id": _id(number), "name": call.name, "input": {}}, said))
        events = [named("message_start", {"message": start})]
        for index, (block, deltas) in enumerate(blocks):
            events.append(named("content_block_start", {"index": index, "content_block": block}))
            if not index:
                events.append(named("ping", {}))
            events += [named("content_block_delta", {"index": index, "delta": delta}) for delta in deltas]
            events.append(named("content_block_stop", {"index": index}))
        delta = {
            "stop_reason": _REASONS[answer.ending],
            "stop_sequence": "STOP" if answer.ending == "stop sequence" else None,
        }
        events.append(named("message_delta", {"delta": delta, "usage": usage()}))
        return [*events, named("message_stop", {})]

    def refusal(self, fault: str) -> Refusal:
        match fault:
            case "error":
                return Refusal(400, _error("invalid_request_error", REFUSED_MESSAGE))
            case "busy":
                error = _error("rate_limit_error", "This request would exceed your organization's rate limit.")
                return Refusal(429, error, {"retry-after": str(RETRY_AFTER_S)})
            case _:
                return Refusal(500, _error("api_error", "Internal server error"))

    def broken(self) -> bytes:
        return named("error", {"error": {"type": "api_error", "message": "Internal server error"}})


def _error(kind: str, message: str) -> Json:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_theirs"}


def _id(number: int) -> str:
    return f"toolu_01A09q90qw90lq917835lq{number}"


def _message(model: str) -> Json:
    return {"id": "msg_theirs", "type": "message", "role": "assistant", "model": f"{model}-20260801"}


def usage() -> Json:
    """Anthropic counts fresh, cached and newly cached input beside each other."""
    tokens = Tokens()
    return {
        "input_tokens": tokens.input - tokens.cached - WRITTEN_TO_CACHE,
        "cache_read_input_tokens": tokens.cached,
        "cache_creation_input_tokens": WRITTEN_TO_CACHE,
        "output_tokens": tokens.output,
        "output_tokens_details": {"thinking_tokens": tokens.thought},
        "service_tier": "standard",
    }
