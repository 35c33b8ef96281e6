"""A chat's messages as Gemini's contents and system instruction."""

from __future__ import annotations

import re
from typing import Any, cast

import orjson
from msgspec import Struct, field

from gatewayz.errors import InvalidRequest

JsonObject = dict[str, Any]

UNSIGNED = "skip_thought_signature_validator"
"""The placeholder that Google documents for a tool call that has no signature of Gemini's. Gemini 3 refuses a conversation
with a tool call that has no signature at all."""

_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)(?:;[\w-]+=[^;,]*)*;base64,", re.IGNORECASE)
_MEDIA_TYPES = {
    "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "webp": "image/webp", "gif": "image/gif",
    "heic": "image/heic", "heif": "image/heif", "pdf": "application/pdf",
}  # fmt: skip
_OWN_FILES = re.compile(r"https://generativelanguage\.googleapis\.com/[\w/.-]*files/[\w-]+|gs://.+", re.DOTALL)
_WORDS = re.compile(r"=(?:image(?:/|%2[fF]))?([A-Za-z]+)(?=&|$)")
_SUFFIX = re.compile(r"\.([A-Za-z0-9]+)(?:[?#]|$)")


class _GoogleExtra(Struct):
    thought_signature: str | None = None


class _Extra(Struct):
    google: _GoogleExtra | None = None


def _signature(extra: _Extra | None) -> str | None:
    return extra.google.thought_signature if extra is not None and extra.google is not None else None


class TextPart(Struct, tag_field="type", tag="text"):
    text: str


class RefusalPart(Struct, tag_field="type", tag="refusal"):
    refusal: str


class _ImageUrl(Struct):
    url: str


class ImagePart(Struct, tag_field="type", tag="image_url"):
    image_url: str | _ImageUrl  # some clients send the string alone

    @property
    def url(self) -> str:
        return self.image_url if isinstance(self.image_url, str) else self.image_url.url


class _Audio(Struct):
    data: str
    format: str


class AudioPart(Struct, tag_field="type", tag="input_audio"):
    input_audio: _Audio


class _File(Struct):
    file_data: str | None = None
    file_id: str | None = None


class FilePart(Struct, tag_field="type", tag="file"):
    file: _File


class _CalledFunction(Struct):
    name: str
    arguments: str | dict[str, Any] | None = None  # some clients send the object itself


class ToolCall(Struct):
    id: str
    function: _CalledFunction
    extra_content: _Extra | None = None


class SystemMessage(Struct, tag_field="role", tag="system"):
    content: str | list[TextPart]


class DeveloperMessage(Struct, tag_field="role", tag="developer"):
    content: str | list[TextPart]


class UserMessage(Struct, tag_field="role", tag="user"):
    content: str | list[TextPart | ImagePart | AudioPart | FilePart]


class AssistantMessage(Struct, tag_field="role", tag="assistant"):
    content: str | list[TextPart | RefusalPart] | None = None
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = None
    audio: Any = None
    function_call: Any = None
    extra_content: _Extra | None = None


class ToolMessage(Struct, tag_field="role", tag="tool"):
    tool_call_id: str
    content: str | list[TextPart | ImagePart] | None = None
    is_error: bool | None = None  # from callers of Anthropic's wire


Message = SystemMessage | DeveloperMessage | UserMessage | AssistantMessage | ToolMessage


class Contents(Struct):
    """A conversation in Gemini's two parts."""

    contents: list[JsonObject] = field(default_factory=list[JsonObject])
    system_parts: list[JsonObject] = field(default_factory=list[JsonObject])


def messages_to_contents(messages: list[Message], *, sign_tool_calls: bool) -> Contents:
    """The contents and the system instruction. ``sign_tool_calls``: put the documented placeholder where a tool call has no
    thought signature.

    Gemini has one system instruction and no place for another within the conversation, so all are gathered in their order.
    """
    made = Contents()
    called: dict[str, str] = {}  # id → name: Gemini requires the name with the result, too
    for index, message in enumerate(messages):
        at = f"messages[{index}]"
        match message:
            case SystemMessage() | DeveloperMessage():
                made.system_parts.extend(_text_parts(message.content))
            case UserMessage():
                _add(made.contents, "user", _user_parts(message, at))
            case AssistantMessage():
                called.update({call.id: call.function.name for call in message.tool_calls or ()})
                _add(made.contents, "model", _model_parts(message, at, sign_tool_calls))
            case ToolMessage():
                part = _function_response(message, called, at)
                last: JsonObject = made.contents[-1]["parts"][-1] if made.contents else {}
                if "functionResponse" in last:
                    # Results of parallel calls go into one turn.
                    made.contents[-1]["parts"].append(part)
                else:
                    _add(made.contents, "user", [part])
    if not made.contents:
        if not made.system_parts:
            raise invalid("nothing is said in them", "messages")
        # A system prompt without any message after it becomes the user's turn, since one is required.
        _add(made.contents, "user", made.system_parts)
        made.system_parts = []
    return made


def invalid(reason: str, param: str) -> InvalidRequest:
    return InvalidRequest(f"Invalid value for '{param}': {reason}.", code="invalid_value", param=param)


def unsupported(param: str, why: str) -> InvalidRequest:
    """The refusal of a member that has no equal at Gemini."""
    return InvalidRequest(
        f"'{param}' cannot be sent to this model's provider: {why}.", code="unsupported_parameter", param=param
    )


def _add(contents: list[JsonObject], role: str, parts: list[JsonObject]) -> None:
    """Add a turn, unless it is empty: Gemini refuses an empty turn. Model turns in a row are joined, since Gemini refuses
    calls that follow another model turn."""
    if parts and role == "model" and contents and contents[-1]["role"] == "model":
        contents[-1]["parts"].extend(parts)
    elif parts:
        contents.append({"role": role, "parts": parts})


def _text_parts(content: str | list[TextPart]) -> list[JsonObject]:
    texts = [content] if isinstance(content, str) else [part.text for part in content]
    return [{"text": text} for text in texts if text]


def _user_parts(message: UserMessage, at: str) -> list[JsonObject]:
    if isinstance(message.content, str):
        return [{"text": message.content}]
    parts: list[JsonObject] = []
    for index, part in enumerate(message.content):
        param = f"{at}.content[{index}]"
        match part:
            case TextPart():
                parts.append({"text": part.text})
            case ImagePart():
                parts.append(_medium(part.url, f"{param}.image_url.url", "image/jpeg"))
            case AudioPart():
                audio = part.input_audio
                parts.append({"inlineData": {"mimeType": f"audio/{audio.format}", "data": audio.data}})
            case FilePart():
                parts.append(_file(part.file, f"{param}.file"))
    return parts


def _medium(url: str, param: str, likely: str) -> JsonObject:
    """A media part. Data is sent in the request; an address is fetched by the provider, never by the gateway.

    Gemini requires the media type. Where the address does not show it (a signed or shortened one), ``likely`` is used: Gemini
    inspects the data itself, and may still refuse it.
    """
    if (data := _DATA_URL.match(url)) is not None:
        return {"inlineData": {"mimeType": data.group(1).lower(), "data": url[data.end() :]}}
    if url[:5].lower() == "data:":
        raise invalid("a data URL must name its media type and be base64", param)
    if _OWN_FILES.fullmatch(url):
        return {"fileData": {"fileUri": url}}
    if not url.startswith("https://"):
        raise invalid("it must be a data URL or begin with https://", param)
    return {"fileData": {"mimeType": _media_type(url) or likely, "fileUri": url}}


def _media_type(url: str) -> str | None:
    """The media type by the suffix of the path, or by the query (``?format=png``)."""
    path, _, query = url.partition("?")
    suffix = _SUFFIX.search(path.rpartition("/")[2])
    if suffix and (found := _MEDIA_TYPES.get(suffix.group(1).lower())):
        return found
    return next((found for word in _WORDS.findall(query) if (found := _MEDIA_TYPES.get(word.lower()))), None)


def _file(file: _File, param: str) -> JsonObject:
    if file.file_data is None:
        raise unsupported(f"{param}.file_id", "files lie with another provider; send 'file_data'")
    return _medium(file.file_data, f"{param}.file_data", "application/pdf")


def _model_parts(message: AssistantMessage, at: str, sign_tool_calls: bool) -> list[JsonObject]:
    for name in ("audio", "function_call"):
        if getattr(message, name) is not None:
            raise unsupported(f"{at}.{name}", "it has no equal there")
    parts: list[JsonObject] = []
    if isinstance(message.content, str):
        parts += [{"text": message.content}] if message.content else []
    else:
        texts = [part.text if isinstance(part, TextPart) else part.refusal for part in message.content or ()]
        parts += [{"text": text} for text in texts if text]
    if not parts and message.refusal:
        parts.append({"text": message.refusal})
    if (signature := _signature(message.extra_content)) is not None:
        if not parts:
            parts.append({"text": ""})
        parts[-1]["thoughtSignature"] = signature
    for index, call in enumerate(message.tool_calls or ()):
        part: JsonObject = {
            "functionCall": {
                "id": call.id,
                "name": call.function.name,
                "args": _arguments(call.function.arguments, f"{at}.tool_calls[{index}].function.arguments"),
            }
        }
        # Only the first of parallel calls is signed, and only its signature is checked.
        signature = _signature(call.extra_content) or (UNSIGNED if sign_tool_calls and index == 0 else None)
        if signature is not None:
            part["thoughtSignature"] = signature
        parts.append(part)
    return parts


def _arguments(given: str | dict[str, Any] | None, param: str) -> JsonObject:
    if isinstance(given, dict):
        return given
    text = (given or "").strip()
    if text in ("", "null"):
        return {}
    try:
        arguments = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise invalid("it must be JSON", param) from None
    if not isinstance(arguments, dict):
        raise invalid("it must be a JSON object", param)
    return cast("JsonObject", arguments)


def _function_response(message: ToolMessage, called: dict[str, str], at: str) -> JsonObject:
    name = called.get(message.tool_call_id)
    if name is None:
        raise invalid("there is no such tool call in the messages before it", f"{at}.tool_call_id")
    response: JsonObject = {"id": message.tool_call_id, "name": name}
    if message.is_error and isinstance(message.content, str):
        response["response"] = {"error": message.content}
        return {"functionResponse": response}
    if isinstance(message.content, str):
        response["response"] = _result(message.content)
        return {"functionResponse": response}
    content = message.content or []
    response["response"] = _result("".join(part.text for part in content if isinstance(part, TextPart)))
    images: list[JsonObject] = []
    for index, part in enumerate(content):
        if isinstance(part, ImagePart):
            param = f"{at}.content[{index}].image_url.url"
            image = _medium(part.url, param, "image/jpeg")
            if "inlineData" not in image:
                raise unsupported(param, "in the result of a tool it takes data URLs only")
            images.append(image)
    if images:
        response["parts"] = images
    return {"functionResponse": response}


def _result(text: str) -> JsonObject:
    """A result must be an object. An object stays as it is; any other text is put under Gemini's own name for it."""
    if text.lstrip()[:1] == "{":
        try:
            return cast("JsonObject", orjson.loads(text))
        except orjson.JSONDecodeError:
            pass
    return {"output": text}
