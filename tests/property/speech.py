"""One answer in the words of each provider's wire, whole and streamed; and what a caller of each wire hears of an answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from gatewayz.wires.base import Wire
from gatewayz.wires.sse import EventSplitter, data_of, event_of
from tests.property.strategies import Json, Said


def _arguments(said: Said) -> list[tuple[str, str, Json]]:
    return [(f"call_{i}", name, arguments) for i, (name, arguments) in enumerate(said.calls)]


def _dumped(value: Json) -> str:
    return orjson.dumps(value).decode()


def _halves(text: str) -> tuple[str, str]:
    return text[: len(text) // 2], text[len(text) // 2 :]


# ---- Chat ---------------------------------------------------------------------------------------------------------


def _chat_usage(said: Said) -> Json:
    return {
        "prompt_tokens": said.fresh + said.cached,
        "completion_tokens": said.reasoning + said.visible,
        "total_tokens": said.fresh + said.cached + said.reasoning + said.visible,
        "prompt_tokens_details": {"cached_tokens": said.cached},
        "completion_tokens_details": {"reasoning_tokens": said.reasoning},
    }


def _chat_reason(said: Said) -> str:
    return "length" if said.cut_short else "tool_calls" if said.calls else "stop"


def _chat_call(call_id: str, name: str, arguments: str) -> Json:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def _chat_whole(said: Said) -> Json:
    message: Json = {"role": "assistant", "content": "".join(said.texts) or None}
    if said.thoughts:
        message["reasoning_content"] = "".join(said.thoughts)
    if said.calls:
        message["tool_calls"] = [_chat_call(one, name, _dumped(given)) for one, name, given in _arguments(said)]
    choice = {"index": 0, "message": message, "finish_reason": _chat_reason(said)}
    return {"id": "up-1", "model": "up", "object": "chat.completion", "choices": [choice], "usage": _chat_usage(said)}


def _chat_stream(said: Said) -> list[bytes]:
    deltas: list[Json] = [{"role": "assistant", "content": ""}]
    deltas += [{"reasoning_content": piece} for piece in said.thoughts]
    deltas += [{"content": piece} for piece in said.texts]
    for i, (one, name, given) in enumerate(_arguments(said)):
        deltas.append({"tool_calls": [{"index": i, **_chat_call(one, name, "")}]})
        deltas += [{"tool_calls": [{"index": i, "function": {"arguments": half}}]} for half in _halves(_dumped(given))]
    choices: list[list[Json]] = [[{"index": 0, "delta": delta, "finish_reason": None}] for delta in deltas]
    choices.append([{"index": 0, "delta": {}, "finish_reason": _chat_reason(said)}])
    head: Json = {"id": "up-1", "model": "up", "object": "chat.completion.chunk"}
    events: list[Json] = [{**head, "choices": choice} for choice in choices]
    events.append({**head, "choices": [], "usage": _chat_usage(said)})
    return [*(event_of(orjson.dumps(event)) for event in events), b"data: [DONE]\n\n"]


# ---- Responses ----------------------------------------------------------------------------------------------------


def _items(said: Said) -> list[Json]:
    items: list[Json] = []
    if said.thoughts:
        summary = [{"type": "summary_text", "text": "".join(said.thoughts)}]
        items.append({"type": "reasoning", "id": "rs_1", "summary": summary})
    if said.texts:
        part: Json = {"type": "output_text", "text": "".join(said.texts), "annotations": []}
        items.append({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]})
    for one, name, given in _arguments(said):
        items.append(
            {"type": "function_call", "id": f"fc_{one}", "call_id": one, "name": name, "arguments": _dumped(given)}
        )
    return items


def _responses_whole(said: Said) -> Json:
    return {
        "id": "up-1",
        "model": "up",
        "object": "response",
        "status": "incomplete" if said.cut_short else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if said.cut_short else None,
        "error": None,
        "output": _items(said),
        "usage": {
            "input_tokens": said.fresh + said.cached,
            "output_tokens": said.reasoning + said.visible,
            "total_tokens": said.fresh + said.cached + said.reasoning + said.visible,
            "input_tokens_details": {"cached_tokens": said.cached},
            "output_tokens_details": {"reasoning_tokens": said.reasoning},
        },
    }


def _responses_stream(said: Said) -> list[bytes]:
    whole = _responses_whole(said)
    events: list[Json] = [{"type": "response.created", "response": {**whole, "status": "in_progress", "output": []}}]
    empty: Mapping[str, Json] = {
        "reasoning": {"summary": []},
        "message": {"content": []},
        "function_call": {"arguments": ""},
    }
    for place, item in enumerate(whole["output"]):
        at: Json = {"output_index": place, "item_id": item["id"]}
        events.append({"type": "response.output_item.added", **at, "item": {**item, **empty[item["type"]]}})
        match item["type"]:
            case "reasoning":
                word, pieces, more = "reasoning_summary_text", said.thoughts, {"summary_index": 0}
            case "message":
                word, pieces, more = "output_text", said.texts, {"content_index": 0}
            case _:
                word, pieces, more = "function_call_arguments", _halves(item["arguments"]), {}
        events += [{"type": f"response.{word}.delta", **at, **more, "delta": piece} for piece in pieces]
        events.append({"type": "response.output_item.done", **at, "item": item})
    events.append({"type": f"response.{whole['status']}", "response": whole})
    return [_named({**event, "sequence_number": number}) for number, event in enumerate(events)]


def _named(event: Json) -> bytes:
    return b"event: " + event["type"].encode() + b"\n" + event_of(orjson.dumps(event))


# ---- Messages -----------------------------------------------------------------------------------------------------


def _messages_usage(said: Said) -> Json:
    return {
        "input_tokens": said.fresh,
        "cache_read_input_tokens": said.cached,
        "cache_creation_input_tokens": 0,
        "output_tokens": said.reasoning + said.visible,
        "output_tokens_details": {"thinking_tokens": said.reasoning},
    }


def _blocks(said: Said) -> list[tuple[Json, Json, list[Json]]]:
    """Each block whole, as it begins, and what follows."""
    blocks: list[tuple[Json, Json, list[Json]]] = []
    if said.thoughts:
        start: Json = {"type": "thinking", "thinking": "", "signature": ""}
        deltas: list[Json] = [{"type": "thinking_delta", "thinking": piece} for piece in said.thoughts]
        deltas.append({"type": "signature_delta", "signature": "sig"})
        blocks.append(({**start, "thinking": "".join(said.thoughts), "signature": "sig"}, start, deltas))
    if said.texts:
        start = {"type": "text", "text": ""}
        deltas = [{"type": "text_delta", "text": piece} for piece in said.texts]
        blocks.append(({**start, "text": "".join(said.texts)}, start, deltas))
    for one, name, given in _arguments(said):
        start = {"type": "tool_use", "id": one, "name": name, "input": {}}
        deltas = [{"type": "input_json_delta", "partial_json": half} for half in _halves(_dumped(given))]
        blocks.append(({**start, "input": given}, start, deltas))
    return blocks


def _messages_whole(said: Said) -> Json:
    return {
        "id": "up-1",
        "type": "message",
        "role": "assistant",
        "model": "up",
        "content": [whole for whole, _, _ in _blocks(said)],
        "stop_reason": "max_tokens" if said.cut_short else "tool_use" if said.calls else "end_turn",
        "stop_sequence": None,
        "usage": _messages_usage(said),
    }


def _messages_stream(said: Said) -> list[bytes]:
    whole = _messages_whole(said)
    begun = {**_messages_usage(said), "output_tokens": 1, "output_tokens_details": None}
    events: list[Json] = [
        {"type": "message_start", "message": {**whole, "content": [], "stop_reason": None, "usage": begun}}
    ]
    for place, (_, start, deltas) in enumerate(_blocks(said)):
        events.append({"type": "content_block_start", "index": place, "content_block": start})
        events += [{"type": "content_block_delta", "index": place, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": place})
    stop = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    events += [{"type": "message_delta", "delta": stop, "usage": whole["usage"]}, {"type": "message_stop"}]
    return [_named(event) for event in events]


# ---- Gemini -------------------------------------------------------------------------------------------------------


def _gemini(parts: list[Json], said: Said, reason: str | None) -> Json:
    candidate: Json = {"content": {"role": "model", "parts": parts}, "index": 0}
    if reason is not None:
        candidate["finishReason"] = reason
    usage = {
        "promptTokenCount": said.fresh + said.cached,
        "cachedContentTokenCount": said.cached,
        "candidatesTokenCount": said.visible,
        "thoughtsTokenCount": said.reasoning,
    }
    return {"candidates": [candidate], "responseId": "up-1", "modelVersion": "up", "usageMetadata": usage}


def _gemini_parts(said: Said) -> list[Json]:
    parts: list[Json] = [{"text": piece, "thought": True} for piece in said.thoughts]
    parts += [{"text": piece} for piece in said.texts]
    parts += [{"functionCall": {"id": one, "name": name, "args": given}} for one, name, given in _arguments(said)]
    return parts


def _gemini_reason(said: Said) -> str:
    return "MAX_TOKENS" if said.cut_short else "STOP"


def _gemini_whole(said: Said) -> Json:
    return _gemini(_gemini_parts(said), said, _gemini_reason(said))


def _gemini_stream(said: Said) -> list[bytes]:
    answers = [_gemini([part], said, None) for part in _gemini_parts(said)]
    answers.append(_gemini([], said, _gemini_reason(said)))
    return [event_of(orjson.dumps(answer)).replace(b"\n\n", b"\r\n\r\n") for answer in answers]


SPOKEN: Mapping[Wire, tuple[Callable[[Said], Json], Callable[[Said], list[bytes]]]] = {
    "openai_chat": (_chat_whole, _chat_stream),
    "openai_responses": (_responses_whole, _responses_stream),
    "anthropic_messages": (_messages_whole, _messages_stream),
    "gemini": (_gemini_whole, _gemini_stream),
}

# ---- What is heard ------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Heard:
    """An answer as a caller understands it."""

    thoughts: str = ""
    text: str = ""
    calls: list[tuple[str, Any]] = field(default_factory=list[tuple[str, Any]])
    reason: str | None = None


def heard_whole(wire: Wire, answer: Json) -> Heard:
    match wire:
        case "openai_chat":
            message = answer["choices"][0]["message"]
            calls = [
                (one["function"]["name"], orjson.loads(one["function"]["arguments"]))
                for one in message.get("tool_calls") or ()
            ]
            reason = answer["choices"][0]["finish_reason"]
            return Heard(message.get("reasoning_content") or "", message.get("content") or "", calls, reason)
        case "openai_completions":
            return Heard("", answer["choices"][0]["text"], [], answer["choices"][0]["finish_reason"])
        case "openai_responses":
            return _heard_response(answer)
        case _:
            return _heard_blocks(answer["content"], answer["stop_reason"])


def _heard_response(answer: Json) -> Heard:
    heard = Heard("", "", [], answer["status"])
    for item in answer["output"]:
        match item["type"]:
            case "reasoning":
                heard.thoughts += "".join(part["text"] for part in item["summary"])
            case "message":
                heard.text += "".join(part["text"] for part in item["content"])
            case _:
                heard.calls.append((item["name"], orjson.loads(item["arguments"])))
    return heard


def _heard_blocks(blocks: Sequence[Json], reason: str | None) -> Heard:
    heard = Heard("", "", [], reason)
    for block in blocks:
        match block["type"]:
            case "thinking":
                heard.thoughts += block["thinking"]
            case "text":
                heard.text += block["text"]
            case _:
                heard.calls.append((block["name"], block["input"]))
    return heard


def heard_stream(wire: Wire, stream: bytes) -> Heard:
    datas = [data_of(event) for event in EventSplitter().feed(stream)]
    events = [orjson.loads(data) for data in datas if data and data != b"[DONE]"]
    match wire:
        case "openai_chat" | "openai_completions":
            assert datas[-1] == b"[DONE]"
            return _heard_chunks(events)
        case "openai_responses":
            return _heard_response(events[-1]["response"])
        case _:
            assert events[-1]["type"] == "message_stop"
            return _heard_block_events(events)


def _heard_chunks(events: Sequence[Json]) -> Heard:
    heard = Heard("", "", [])
    names: dict[int, str] = {}
    arguments: dict[int, str] = {}
    for choice in [choice for event in events for choice in event["choices"]]:
        delta = choice.get("delta", {})
        heard.thoughts += delta.get("reasoning_content") or ""
        heard.text += choice.get("text") or delta.get("content") or ""
        for call in delta.get("tool_calls") or ():
            function = call["function"]
            names[call["index"]] = names.get(call["index"], "") + (function.get("name") or "")
            arguments[call["index"]] = arguments.get(call["index"], "") + (function.get("arguments") or "")
        heard.reason = choice["finish_reason"] or heard.reason
    heard.calls = [(names[i], orjson.loads(arguments[i])) for i in sorted(names)]
    return heard


def _heard_block_events(events: Sequence[Json]) -> Heard:
    blocks: dict[int, Json] = {}
    inputs: dict[int, str] = {}
    reason: str | None = None
    for event in events:
        match event["type"]:
            case "content_block_start":
                blocks[event["index"]] = dict(event["content_block"])
                inputs[event["index"]] = ""
            case "content_block_delta":
                block, delta = blocks[event["index"]], event["delta"]
                for name in ("text", "thinking"):
                    if name in delta:
                        block[name] += delta[name]
                inputs[event["index"]] += delta.get("partial_json", "")
            case "message_delta":
                reason = event["delta"]["stop_reason"]
            case _:
                pass
    for place, block in blocks.items():
        if block["type"] == "tool_use":
            block["input"] = orjson.loads(inputs[place] or "{}")
    return _heard_blocks([blocks[place] for place in sorted(blocks)], reason)
