"""A chat request as one for Gemini's generateContent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal

import msgspec
import orjson
from msgspec import Struct

from gatewayz.errors import InvalidRequest
from gatewayz.wires.body import with_json_types
from gatewayz.wires.gemini.contents_from_chat import JsonObject, Message, invalid, messages_to_contents, unsupported
from gatewayz.wires.gemini.json_schema import json_schema_to_gemini
from gatewayz.wires.gemini.thinking_config import (
    Effort,
    Google,
    Reasoning,
    Thinking,
    ThinkingMembers,
    thinking_config,
    thinks_in_levels,
)


class _Function(Struct):
    name: str
    description: str | None = None
    parameters: Any = None


class _Tool(Struct):
    type: str = "function"
    function: _Function | None = None


class _Named(Struct):
    name: str


class _NamedTool(Struct):
    type: str = "function"
    function: _Named | None = None


class _AllowedTools(Struct):
    mode: Literal["auto", "required"] = "auto"
    tools: list[_NamedTool] = []


class _ToolChoice(Struct):
    type: Literal["function", "allowed_tools"] = "function"
    function: _Named | None = None
    allowed_tools: _AllowedTools | None = None


class _JsonSchema(Struct):
    name: str | None = None
    schema: Any = None


class _ResponseFormat(Struct):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: _JsonSchema | None = None


class _ExtraBody(Struct):
    google: Google | None = None


class _ChatRequest(Struct):
    messages: list[Message]
    tools: list[_Tool] | None = None
    tool_choice: Literal["none", "auto", "required", "any"] | _ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: _ResponseFormat | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: float | None = None
    n: int | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    reasoning_effort: Effort | None = None
    reasoning: Reasoning | None = None
    thinking: Thinking | None = None
    extra_body: _ExtraBody | None = None
    service_tier: str | None = None
    modalities: list[str] | None = None
    logit_bias: dict[str, float] | None = None
    verbosity: str | None = None


_TRANSLATED = frozenset(_ChatRequest.__struct_fields__)
_NEEDLESS = frozenset(
    {
        "model",
        "models",
        "stream",
        "stream_options",  # the path says it
        "user",
        "metadata",
        "safety_identifier",
        "prompt_cache_key",
        "prompt_cache_retention",
        "prompt_cache_options",
        "store",
        "prediction",
    }
)
"""Members that do not change the answer: hints, and what a provider is asked to store."""

_REMEMBERED_BYTES = 4096
"""Bytes of a tool's schema that is cached. Larger ones are rare, and 256 of them would take megabytes."""

_SERVICE_TIERS = {"flex": "flex", "priority": "priority", "auto": None, "default": None, "standard": None}


def chat_request_to_gemini(chat: Mapping[str, Any], model: str) -> bytes:
    """The body for generateContent and streamGenerateContent alike. Raises InvalidRequest naming the member that has no
    equal.

    A member with the value null counts as absent.
    """
    given = {name: value for name, value in chat.items() if value is not None}
    for name in given:
        if name not in _TRANSLATED and name not in _NEEDLESS:
            raise unsupported(name, "it has no equal there")
    try:
        request = msgspec.convert(given, _ChatRequest)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from None
    _refuse_what_has_no_equal(request)
    made = messages_to_contents(request.messages, sign_tool_calls=thinks_in_levels(model))
    body: JsonObject = {"contents": made.contents}
    if made.system_parts:
        body["systemInstruction"] = {"role": "user", "parts": made.system_parts}
    if request.tools:
        _tools(request.tools, request.tool_choice, body)
    if generation := _generation_config(request, model):
        body["generationConfig"] = generation
    if (google := _google(request)) is not None and google.cached_content is not None:
        body["cachedContent"] = google.cached_content
    if request.service_tier is not None:
        if request.service_tier not in _SERVICE_TIERS:
            raise unsupported("service_tier", "it has no such tier")
        if (tier := _SERVICE_TIERS[request.service_tier]) is not None:
            body["serviceTier"] = tier
    try:
        return orjson.dumps(body)
    except TypeError as error:  # a number that orjson cannot write
        raise InvalidRequest(f"The request cannot be translated: {error}.") from None


def _refuse_what_has_no_equal(request: _ChatRequest) -> None:
    if request.logit_bias:
        raise unsupported("logit_bias", "it has no equal there")
    if request.verbosity not in (None, "medium"):
        raise unsupported("verbosity", "it has no equal there")
    if request.modalities is not None and request.modalities != ["text"]:
        raise unsupported("modalities", "only text is translated")
    if request.parallel_tool_calls is False and request.tools and len(request.tools) > 1:
        # With one tool, clients often set it by default; with several it matters.
        raise unsupported("parallel_tool_calls", "parallel calls of several tools cannot be switched off there")


def _google(request: _ChatRequest) -> Google | None:
    return request.extra_body.google if request.extra_body is not None else None


def _generation_config(request: _ChatRequest, model: str) -> JsonObject:
    max_tokens = request.max_completion_tokens
    stop = request.stop
    settings: JsonObject = {
        "temperature": request.temperature,
        "topP": request.top_p,
        "topK": request.top_k,
        "candidateCount": request.n,
        "maxOutputTokens": request.max_tokens if max_tokens is None else max_tokens,
        "stopSequences": [stop] if isinstance(stop, str) else stop or None,
        "seed": request.seed,
        "presencePenalty": request.presence_penalty,
        "frequencyPenalty": request.frequency_penalty,
    }
    if request.logprobs:
        settings["responseLogprobs"] = True
        settings["logprobs"] = request.top_logprobs
    if (wanted := request.response_format) is not None and wanted.type != "text":
        settings["responseMimeType"] = "application/json"
        if wanted.type == "json_schema":
            schema = wanted.json_schema.schema if wanted.json_schema else None
            if schema is None:
                raise invalid("a format of type json_schema needs one", "response_format.json_schema.schema")
            settings["responseJsonSchema"] = json_schema_to_gemini(schema, "response_format.json_schema.schema")
    asked = ThinkingMembers(request.reasoning_effort, request.reasoning, request.thinking, _google(request))
    settings["thinkingConfig"] = thinking_config(asked, model) or None
    return {name: value for name, value in settings.items() if value is not None}


def _tools(tools: list[_Tool], choice: str | _ToolChoice | None, body: JsonObject) -> None:
    declared = [_declaration(tool, f"tools[{index}]") for index, tool in enumerate(tools)]
    calling: JsonObject | None = None
    if isinstance(choice, str):
        calling = {"mode": {"none": "NONE", "auto": "AUTO", "required": "ANY", "any": "ANY"}[choice]}
    elif choice is not None and choice.type == "function":
        if choice.function is None:
            raise invalid("it must name one", "tool_choice.function")
        calling = {"mode": "ANY", "allowedFunctionNames": [choice.function.name]}
    elif choice is not None and (allowed := choice.allowed_tools) is not None:
        names = {tool.function.name for tool in allowed.tools if tool.function is not None}
        # Gemini takes names only for forced calls. Otherwise only the allowed tools are sent.
        declared = [declaration for declaration in declared if declaration["name"] in names]
        calling = {"mode": "AUTO" if allowed.mode == "auto" else "ANY"}
    if declared:
        body["tools"] = [{"functionDeclarations": declared}]
        if calling is not None:
            body["toolConfig"] = {"functionCallingConfig": calling}


def _declaration(tool: _Tool, param: str) -> JsonObject:
    if tool.type != "function" or tool.function is None:
        raise unsupported(f"{param}.type", "only functions are translated")
    declared: JsonObject = {"name": tool.function.name}
    if tool.function.description is not None:
        declared["description"] = tool.function.description
    if tool.function.parameters:  # Gemini wants no schema, not an empty one, for a function without parameters
        declared["parametersJsonSchema"] = _parameters(tool.function.parameters, f"{param}.function.parameters")
    return declared


def _parameters(schema: Any, param: str) -> JsonObject:
    """The tool's schema for Gemini. It is cached, because an agent sends the same tools with each turn."""
    try:
        written = orjson.dumps(schema)
    except TypeError:  # too deep, or a number that orjson cannot write: the rewriting raises the proper error
        return json_schema_to_gemini(schema, param)
    return _rewritten(written, param) if len(written) <= _REMEMBERED_BYTES else json_schema_to_gemini(schema, param)


@lru_cache(maxsize=256)
def _rewritten(written: bytes, param: str) -> JsonObject:
    """Returns a shared object: it is written into a request, never changed."""
    return json_schema_to_gemini(orjson.loads(written), param)


_MISSING = re.compile(r"missing required field `([^`]+)`")
_PATH = re.compile(r" - at `(?:key in )?\$\.?([^`]*)`$")


def _invalid(message: str) -> InvalidRequest:
    """msgspec's message as InvalidRequest, with the path at its end as OpenAI's ``param``."""
    path = _PATH.search(message)
    param = path.group(1) if path else ""
    reason = with_json_types(message[: path.start()] if path else message)
    if (missing := _MISSING.search(reason)) is not None:
        param = f"{param}.{missing.group(1)}" if param else missing.group(1)
        return InvalidRequest(f"Missing required parameter: '{param}'.", code="missing_required_parameter", param=param)
    if not param:
        return InvalidRequest(f"The request cannot be translated: {reason}.")
    return invalid(reason, param)
