"""A chat's messages as Anthropic's system prompt and turns."""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from typing import Any

import orjson

from gatewayz.errors import InvalidRequest
from gatewayz.wires.anthropic_messages.thinking_blocks import block_of
from gatewayz.wires.anthropic_messages.tools_from_chat import marked
from gatewayz.wires.json_values import (
    Object,
    list_at,
    no_equal,
    object_at,
    object_in,
    object_of,
    present,
    shown,
    text_at,
    text_in,
    wrong_type,
)

_DATA = re.compile(r"data:([\w.+-]+/[\w.+-]+)(?:;[\w-]+=[^;,]*)*;base64,", re.IGNORECASE)
_PDF = "application/pdf"
_PDF_ADDRESS = re.compile(r"https?://[^?#]+\.pdf(?:[?#]|$)", re.IGNORECASE)
_PDF_BEGINS = "JVBER"  # "%PDF", in base64
_FOREIGN = re.compile(r"[^a-zA-Z0-9_-]")


def turns_of(chat_messages: list[Any]) -> tuple[list[Object], list[Object]]:
    """The system prompt, gathered from all system messages, and the turns. Messages of one role in a row become one turn, so
    that results of parallel tool calls stand together, ahead of other content. A system prompt without any message after it
    becomes the user's turn, since one is required."""
    system: list[Object] = []
    turns: list[Object] = []
    for index, value in enumerate(chat_messages):
        path = f"messages[{index}]"
        message = object_at(value, path)
        content = message.get("content")
        match role := message.get("role"):
            case "system" | "developer":
                system.extend(_marked_last(_parts(content, f"{path}.content", texts_only=True), message))
                continue
            case "user":
                blocks = _marked_last(_parts(content, f"{path}.content"), message)
            case "assistant":
                blocks = _marked_last(_assistant_blocks(message, path), message)
            case "tool":
                blocks = [_tool_result(message, path)]
            case _:
                raise no_equal(f"{path}.role", f"{role!r:.40} is no role there")
        speaker = "assistant" if role == "assistant" else "user"
        if turns and turns[-1]["role"] == speaker:
            turns[-1]["content"].extend(blocks)
        elif blocks:
            turns.append({"role": speaker, "content": blocks})
    if system and not turns:
        turns, system = [{"role": "user", "content": system}], []
    _trim_prefill(turns)
    for turn in turns:
        blocks = turn["content"]
        if len(blocks) == 1 and len(blocks[0]) == 2 and blocks[0]["type"] == "text":
            turn["content"] = blocks[0]["text"]
        elif turn["role"] == "user":
            # Results come first: Anthropic requires them right after the calls. The sort is stable.
            blocks.sort(key=_behind_results)
    return system, turns


def _behind_results(block: Object) -> bool:
    return block["type"] != "tool_result"


def _trim_prefill(turns: list[Object]) -> None:
    """Strip white space from the end of a prefilled answer, if the last turn is one: Anthropic refuses it."""
    if turns and turns[-1]["role"] == "assistant" and (block := turns[-1]["content"][-1])["type"] == "text":
        block["text"] = block["text"].rstrip()
    if not turns:
        raise InvalidRequest(
            "Invalid value for 'messages': nothing is said in them.", code="invalid_value", param="messages"
        )


def _assistant_blocks(message: Object, path: str) -> list[Object]:
    """An earlier answer: its signed thinking, its text and its tool calls, in their order. Text of white space alone is left
    out: Anthropic refuses it."""
    blocks: list[Object] = []
    for detail in list_at(message.get("reasoning_details") or [], f"{path}.reasoning_details"):
        blocks.extend(block_of(object_of(detail)))
    if message.get("content") is not None:
        said = _parts(message["content"], f"{path}.content", texts_only=True)
        blocks.extend([block for block in said if block["text"].strip()])
    if message.get("function_call") is not None:
        raise no_equal(f"{path}.function_call", "tool_calls have taken its place")
    for index, value in enumerate(list_at(message.get("tool_calls") or [], f"{path}.tool_calls")):
        at = f"{path}.tool_calls[{index}]"
        call = object_at(value, at)
        if call.get("type", "function") != "function":
            raise no_equal(f"{at}.type", "only functions are")
        function = object_in(call, "function", at)
        blocks.append(
            {
                "type": "tool_use",
                "id": _call_id(text_in(call, "id", at)),
                "name": text_at(function.get("name"), f"{at}.function.name"),
                "input": _input(function.get("arguments"), f"{at}.function.arguments"),
            }
        )
    return blocks


def _call_id(given: str) -> str:
    """The id in the characters that Anthropic allows (letters, digits, ``_`` and ``-``). Ids of other providers are
    rewritten, always in the same way."""
    if given and _FOREIGN.search(given) is None:
        return given
    return f"{_FOREIGN.sub('_', given)}_{zlib.crc32(given.encode('utf-8', 'surrogatepass')):08x}"


def _input(arguments: Any, path: str) -> Object:
    """A call's arguments: text in chat, an object at Anthropic. Some clients send the object itself."""
    if isinstance(arguments, dict):
        return object_of(arguments)
    if arguments is None:
        return {}
    text = text_at(arguments, path).strip()
    if text in ("", "null"):
        return {}
    try:
        return object_at(orjson.loads(text), path)
    except orjson.JSONDecodeError:
        raise wrong_type(path, "a JSON object, as text") from None


def _tool_result(message: Object, path: str) -> Object:
    content = message.get("content")
    result = content if isinstance(content, str) else _parts(content or [], f"{path}.content")
    call_id = _call_id(text_in(message, "tool_call_id", path))
    return marked({"type": "tool_result", "tool_use_id": call_id, "content": result}, message)


def _parts(content: Any, path: str, *, texts_only: bool = False) -> list[Object]:
    """A message's content as blocks. Empty texts are left out: Anthropic refuses them."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    blocks: list[Object] = []
    for index, value in enumerate(list_at(content, path)):
        at = f"{path}[{index}]"
        part = object_at(value, at)
        match kind := part.get("type"):
            case "text" | "refusal":
                text = text_at(part.get(kind), f"{at}.{kind}")
                if text:
                    blocks.append(marked({"type": "text", "text": text}, part))
            case "image_url" if not texts_only:
                blocks.append(marked(_image(part.get("image_url"), f"{at}.image_url"), part))
            case "file" if not texts_only:
                blocks.append(marked(_file(object_in(part, "file", at), f"{at}.file"), part))
            case _:
                raise no_equal(f"{at}.type", f"a part of type {shown(kind)} has no equal here")
    return blocks


def _marked_last(blocks: list[Object], message: Object) -> list[Object]:
    """With the prompt-cache mark of a whole message, put on its last block. Anthropic does not take it on thinking."""
    if blocks and "cache_control" not in blocks[-1] and "thinking" not in blocks[-1]["type"]:
        blocks[-1] = marked(blocks[-1], message)
    return blocks


def _image(value: Any, path: str) -> Object:
    """An image, or a PDF that some clients send as an image."""
    url = value if isinstance(value, str) else text_at(object_at(value, path).get("url"), f"{path}.url")
    if url[:5].lower() != "data:":
        kind = "document" if _PDF_ADDRESS.match(url) else "image"
        return {"type": kind, "source": {"type": "url", "url": url}}
    return _of_data(url, f"{path}.url")


def _file(file: Object, path: str) -> Object:
    if file.get("file_data") is None:
        raise no_equal(path, "a file by its id is in another's keeping; send its data")
    data = text_at(file["file_data"], f"{path}.file_data")
    if data[:5].lower() == "data:":
        block = _of_data(data, f"{path}.file_data")
    elif data.startswith(("https://", "http://")):
        block = {"type": "document", "source": {"type": "url", "url": data}}
    elif data.startswith(_PDF_BEGINS):
        block = {"type": "document", "source": {"type": "base64", "media_type": _PDF, "data": data}}
    else:
        raise wrong_type(f"{path}.file_data", "an address, or data:<media type>;base64,<data>")
    if block["type"] == "document":
        block.update(present({"title": file.get("filename")}))
    return block


def _of_data(url: str, path: str) -> Object:
    """A data URL as a block of its kind: image, PDF or text."""
    found = _DATA.match(url)
    if found is None:
        raise wrong_type(path, "an address, or data:<media type>;base64,<data>")
    media_type, data = found[1].lower(), url[found.end() :]
    if media_type.startswith("image/"):
        media_type = "image/jpeg" if media_type == "image/jpg" else media_type
        return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}}
    if media_type == _PDF:
        return {"type": "document", "source": {"type": "base64", "media_type": _PDF, "data": data}}
    if not media_type.startswith("text/") and media_type != "application/json":
        raise no_equal(path, f"it reads images, PDFs and texts, not {shown(media_type)}")
    try:
        text = base64.b64decode(data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise wrong_type(path, "text in UTF-8, as base64") from None
    return {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": text}}
