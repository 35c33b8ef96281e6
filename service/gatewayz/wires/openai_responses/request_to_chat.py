"""A request of OpenAI's Responses API as a chat request. Pure: no I/O, no clock.

A member that would change the answer and has no equal in chat is refused by name. Other members (bookkeeping, cache hints,
``include``) are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from gatewayz.errors import InvalidRequest
from gatewayz.wires.json_values import (
    Object,
    copied,
    list_at,
    list_of,
    no_equal,
    object_at,
    object_in,
    object_of,
    present,
    shown,
    text_at,
    text_in,
    text_of,
    wrong_type,
)
from gatewayz.wires.openai_chat.messages import BETWEEN, answers_first, joined, one_beginning
from gatewayz.wires.openai_chat.reasoning_details import unseal_details
from gatewayz.wires.openai_responses.tools import call_name, tools_to_chat, wrapped_input

_STATEFUL = "it keeps no state between calls (send the whole history as 'input', with 'store': false)"
# Newer Vercel AI SDKs refer to items by id unless configured otherwise.
_SEND_AGAIN = (
    "it keeps no state between calls (send the whole history as 'input', with 'store': false; Vercel's AI SDK does with "
    "providerOptions.openai.store = false, or with openai.chat(model))"
)

# Members that chat does not have, and the reason why each is refused.
_REFUSED: Mapping[str, str] = {
    "previous_response_id": _SEND_AGAIN,
    "conversation": _STATEFUL,
    "prompt": _STATEFUL,
    "context_management": _STATEFUL,
    "background": "it answers only while the caller waits (leave it out, or stream)",
    "moderation": "it has no moderation to set",
    "access_programs": "it has no such programs",
}
_NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "background": (False,),
    "context_management": ([],),
}
"""Values of refused members that ask for nothing."""

_DROPPED = frozenset(
    (
        "client_metadata",  # Codex's data about itself
        "include",  # additions to the answer; log probabilities are handled below
        "max_tool_calls",  # counts hosted tools only, and those are refused
        "metadata",  # repeated in the answer
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "safety_identifier",
        "store",  # nothing is stored; the answer says so, and a later request for it fails
        "truncation",  # permission to shorten the input, which need not be used; repeated in the answer
        "image",  # how images are compressed
    )
)
_SAME = ("temperature", "top_p", "user", "stream")
_TRANSLATED = frozenset((*_SAME, *_REFUSED, *_DROPPED, "model", "input", "instructions", "max_output_tokens", "text",
                         "reasoning", "tools", "tool_choice", "parallel_tool_calls", "top_logprobs", "service_tier",
                         "stream_options"))  # fmt: skip
_LOGPROBS = "message.output_text.logprobs"


def responses_request_to_chat(request: Object) -> Object:
    """The chat request that asks for the same. Members that the Responses API does not have are copied unchanged.

    Raises InvalidRequest naming the member that has no equal in chat.
    """
    request = present(request)
    for name, reason in _REFUSED.items():
        if name in request and request[name] not in _NEUTRAL.get(name, ()):
            raise no_equal(name, reason)
    chat = {name: value for name, value in request.items() if name not in _TRANSLATED}
    if "messages" in chat:
        raise InvalidRequest("Unknown parameter: 'messages'.", code="unknown_parameter", param="messages")
    chat["model"] = request["model"]
    chat["messages"] = _messages(request)
    chat.update(copied(request, _SAME))
    if "max_output_tokens" in request:
        chat["max_completion_tokens"] = request["max_output_tokens"]
    chat.update(_text_settings(object_at(request.get("text", {}), "text")))
    chat.update(_reasoning_settings(object_at(request.get("reasoning", {}), "reasoning")))
    chat.update(tools_to_chat(request))
    if request.get("service_tier", "auto") not in ("auto", "default"):
        chat["service_tier"] = request["service_tier"]
    top_logprobs = request.get("top_logprobs")
    if top_logprobs or _LOGPROBS in list_at(request.get("include", []), "include"):
        chat["logprobs"] = True
        if top_logprobs:
            chat["top_logprobs"] = top_logprobs
    return chat


def _text_settings(text: Object) -> Object:
    chat: Object = {}
    if text.get("verbosity", "medium") not in ("medium", None):
        chat["verbosity"] = text["verbosity"]
    form = object_at(text.get("format") or {}, "text.format")
    match form.get("type", "text"):
        case "text":
            pass
        case "json_object":
            chat["response_format"] = {"type": "json_object"}
        case "json_schema":
            text_at(form.get("name"), "text.format.name")
            schema = copied(form, ("name", "description", "schema", "strict"))
            chat["response_format"] = {"type": "json_schema", "json_schema": schema}
        case other:
            raise no_equal("text.format.type", f"it knows no format {shown(other)}")
    return chat


def _reasoning_settings(reasoning: Object) -> Object:
    # ``summary`` asks to be shown some of the reasoning; where a provider shows any, the answer has it. ``context`` says how much
    # of the reasoning given back may be used: a provider that can read it uses what it is given.
    if reasoning.get("mode", "standard") not in ("standard", None):
        raise no_equal("reasoning.mode", "chat knows only the standard one")
    effort = reasoning.get("effort")
    return {} if effort is None else {"reasoning_effort": effort}


def _messages(request: Object) -> list[Object]:
    """The messages: instructions first, then the items. The message and the tool calls of one turn become one assistant
    message."""
    messages: list[Object] = []
    if instructions := text_at(request.get("instructions", ""), "instructions"):
        messages.append({"role": "system", "content": instructions})
    items = request.get("input")
    if isinstance(items, str):
        messages.append({"role": "user", "content": items})
        return messages
    if items is None:
        raise InvalidRequest("Missing required parameter: 'input'.", code="missing_required_parameter", param="input")
    for i, item in enumerate(list_at(items, "input")):
        _add_item(messages, object_at(item, f"input[{i}]"), f"input[{i}]")
    said = [message for message in messages if not _only_reasoning(message)]
    return one_beginning(answers_first(said))


def _add_item(messages: list[Object], item: Object, path: str) -> None:
    kind = item.get("type")
    if kind is None and "role" in item:
        kind = "message"
    match kind:
        case "message":
            _add_message(messages, _message(item, path))
        case "function_call":
            function = {"name": call_name(item, path), "arguments": item.get("arguments") or ""}
            # Gemini's signature of the call is kept if the gateway put it into the item.
            more = copied(item, ("extra_content",))
            _add_call(messages, {"id": _call_id(item, path), "type": "function", "function": function, **more})
        case "custom_tool_call":
            function = {"name": call_name(item, path), "arguments": wrapped_input(item.get("input"))}
            _add_call(messages, {"id": _call_id(item, path), "type": "function", "function": function})
        case "function_call_output" | "custom_tool_call_output":
            content = _content(item.get("output"), f"{path}.output", between="\n")
            messages.append({"role": "tool", "tool_call_id": _call_id(item, path), "content": content})
        case "reasoning":
            # Other providers' encrypted content is of no use here.
            # Plain thoughts are kept for the few providers that want them back.
            encrypted = item.get("encrypted_content")
            if isinstance(encrypted, str) and (details := unseal_details(encrypted)):
                messages.append({"role": "assistant", "content": None, "reasoning_details": details})
            elif thought := _thought(item):
                messages.append({"role": "assistant", "content": None, "reasoning_content": thought})
        case "item_reference":
            raise no_equal(path, _SEND_AGAIN)
        case str() as other:
            raise no_equal(f"{path}.type", f"it knows no items of type {shown(other)}")
        case _:
            raise wrong_type(f"{path}.type", "a string")


def _add_message(messages: list[Object], message: Object) -> None:
    """Add the message, joined with the reasoning before it and the tool calls: after tool calls, chat accepts only their
    results."""
    last = messages[-1] if messages else {}
    if message["role"] == "assistant" and _only_reasoning(last):
        last.update(message)
    elif message["role"] == "assistant" and last.get("tool_calls"):
        texts = [text for text in (last["content"], message["content"]) if text]
        last.update({**message, "content": BETWEEN.join(texts) if texts else None})
    else:
        messages.append(message)


def _only_reasoning(message: Object) -> bool:
    return (
        message.get("role") == "assistant"
        and message["content"] is None
        and message.keys() <= {"role", "content", "reasoning_details", "reasoning_content"}
    )


def _thought(item: Object) -> str:
    parts = [*list_of(item.get("summary")), *list_of(item.get("content"))]
    return "\n\n".join([text for part in parts if (text := text_of(object_of(part).get("text")))])


def _call_id(item: Object, path: str) -> str:
    return text_in(item, "call_id", path)


def _add_call(messages: list[Object], call: Object) -> None:
    if not messages or messages[-1]["role"] != "assistant":
        messages.append({"role": "assistant", "content": None})
    messages[-1].setdefault("tool_calls", []).append(call)


def _message(item: Object, path: str) -> Object:
    role = text_in(item, "role", path)
    match role:
        case "user":
            return {"role": "user", "content": _content(item.get("content"), f"{path}.content")}
        case "system" | "developer":
            # Few providers know the newer role, and those that do treat the older one as the same.
            return {"role": "system", "content": _content(item.get("content"), f"{path}.content")}
        case "assistant":
            return _assistant(item.get("content"), f"{path}.content")
        case _:
            raise InvalidRequest(f"Invalid value for '{path}.role'.", code="invalid_value", param=f"{path}.role")


def _assistant(content: Any, path: str) -> Object:
    """The model's message: its text in one string, which every provider accepts, and its refusal."""
    if isinstance(content, str):
        return {"role": "assistant", "content": content}
    texts: list[str] = []
    refusals: list[str] = []
    for i, value in enumerate(list_at(content, path)):
        at = f"{path}[{i}]"
        part = object_at(value, at)
        match part.get("type"):
            case "output_text" | "input_text" | "text":
                texts.append(text_in(part, "text", at))
            case "refusal":
                refusals.append(text_in(part, "refusal", at))
            case other:
                raise no_equal(f"{at}.type", f"an assistant's message cannot hold {shown(other)}")
    message: Object = {"role": "assistant", "content": "".join(texts) if texts or not refusals else None}
    if refusals:
        message["refusal"] = "".join(refusals)
    return message


def _content(content: Any, path: str, *, between: str = BETWEEN) -> Any:
    """A message's content: a string stays a string and a list a list, unless all its parts are text."""
    if isinstance(content, str):
        return content
    translated: list[Object] = []
    for i, value in enumerate(list_at(content, path)):
        part = object_at(value, f"{path}[{i}]")
        kind = part.get("type")
        translate = _INPUT_PARTS.get(kind) if isinstance(kind, str) else None
        if translate is None:
            raise no_equal(f"{path}[{i}].type", f"a message cannot hold {shown(kind)}")
        translated.append(translate(part, f"{path}[{i}]"))
    return joined(translated, between)


def _text_part(part: Object, path: str) -> Object:
    return {"type": "text", "text": text_in(part, "text", path)}


def _image_part(part: Object, path: str) -> Object:
    if part.get("file_id"):
        raise no_equal(f"{path}.file_id", _STATEFUL)
    image: Object = {"url": text_in(part, "image_url", path)}
    if part.get("detail") not in (None, "auto"):
        image["detail"] = part["detail"]
    return {"type": "image_url", "image_url": image}


def _file_part(part: Object, path: str) -> Object:
    for name in ("file_id", "file_url"):
        if part.get(name):
            raise no_equal(f"{path}.{name}", "a file has to come with its data")
    file: Object = {"file_data": text_in(part, "file_data", path)}
    return {"type": "file", "file": {**file, **copied(part, ("filename",))}}


def _audio_part(part: Object, path: str) -> Object:
    return {"type": "input_audio", "input_audio": object_in(part, "input_audio", path)}


def _parts(*named: tuple[Iterable[str], Callable[[Object, str], Object]]) -> dict[str, Callable[[Object, str], Object]]:
    return {name: translate for names, translate in named for name in names}


_INPUT_PARTS = _parts(
    (("input_text", "text", "output_text"), _text_part),
    (("input_image",), _image_part),
    (("input_file",), _file_part),
    (("input_audio",), _audio_part),
)
