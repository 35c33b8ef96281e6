"""OpenAI's older completions, on both sides: the request as a chat request, and a provider that has the endpoint itself.

Documented at platform.openai.com/docs/api-reference/completions. Pure: no I/O, no clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import orjson
from msgspec import Meta, Struct

from gatewayz.errors import GatewayError, InvalidRequest, ProviderError
from gatewayz.records import Call, Operation, RequestParameters
from gatewayz.wires.base import AnswerInfo, AnswerReader, Fold, Wire
from gatewayz.wires.body import MAX_MODEL_CHARACTERS, Count, Integer, read_body
from gatewayz.wires.json_values import Object, no_equal, present, wrong_type
from gatewayz.wires.openai_chat.fold import ChatFold
from gatewayz.wires.openai_chat.request import chat_to_upstream, error_body, error_event
from gatewayz.wires.openai_completions.answer_from_chat import CompletionsWriter
from gatewayz.wires.refusals.by_status import provider_error
from gatewayz.wires.sse import EventSplitter, Splitter

DEFAULT_MAX_TOKENS = 16
"""What this endpoint has always meant by silence; chat means "as many as there are"."""

MAX_TOP_LOGPROBS = 20  # chat's limit


class _StreamOptions(Struct):
    include_usage: bool | None = None


class _Request(Struct):
    model: Annotated[str, Meta(min_length=1, max_length=MAX_MODEL_CHARACTERS)]
    prompt: str | list[str | int | list[int]] | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    n: Annotated[int, Meta(ge=1, le=2**31)] | None = None
    max_tokens: Count | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    seed: Integer | None = None
    stop: str | list[str] | None = None
    echo: bool | None = None


_PEEK = msgspec.json.Decoder(_Request)


def parse_completions_request(body: bytes) -> Call:
    """What the caller asks for. Raises InvalidRequest, which names the member at fault."""
    request, fields = read_body(body, _PEEK)
    options = request.stream_options
    stop = request.stop
    return Call(
        operation="text_completion",
        model=request.model,
        stream=bool(request.stream),
        fields=fields,
        body=body,
        include_usage=options is not None and bool(options.include_usage),
        parameters=RequestParameters(
            max_tokens=request.max_tokens,
            temperature=request.temperature,
            top_p=request.top_p,
            top_k=request.top_k,
            frequency_penalty=request.frequency_penalty,
            presence_penalty=request.presence_penalty,
            seed=request.seed,
            choice_count=request.n,
            stop_sequences=() if stop is None else (stop,) if isinstance(stop, str) else tuple(stop),
        ),
    )


def completions_to_chat(call: Call) -> Object:
    """The same request to a chat model: the prompt becomes the user's one message.

    Raises InvalidRequest for what chat has no equal of: several prompts, tokens instead of text, text after the gap, the
    prompt's own log probabilities, tools, and choosing the best of more answers than are returned.
    """
    request: Object = present(orjson.loads(call.body))
    prompt = prompt_of(request.pop("prompt", None))
    if request.pop("suffix", None):
        raise no_equal("suffix", "it answers in chat, which has no text after the gap")
    echo = request.pop("echo", False)
    logprobs = request.pop("logprobs", None)
    if logprobs is not None and (isinstance(logprobs, bool) or not isinstance(logprobs, int)):
        raise wrong_type("logprobs", "an integer")
    if logprobs is not None and echo:
        raise no_equal("logprobs", "together with echo they include the prompt's, which chat does not tell")
    if (best_of := request.pop("best_of", 1)) != request.get("n", 1) and best_of != 1:
        raise no_equal("best_of", "chat returns every answer that it makes")
    for name in ("tools", "functions"):
        if request.get(name):
            raise no_equal(name, "what this endpoint answers has no place for a call")
    if "messages" in request:
        raise InvalidRequest("Unknown parameter: 'messages'.", code="unknown_parameter", param="messages")
    chat: Object = {"model": call.model, "messages": [{"role": "user", "content": prompt}]}
    chat["max_completion_tokens"] = request.pop("max_tokens", DEFAULT_MAX_TOKENS)
    if logprobs is not None:
        if not 0 <= logprobs <= MAX_TOP_LOGPROBS:
            raise no_equal("logprobs", f"chat tells 0 to {MAX_TOP_LOGPROBS} of them")
        chat["logprobs"] = True
        chat["top_logprobs"] = logprobs
    return {**request, **chat}


def prompt_of(prompt: Any) -> str:
    """The one text that is to be completed."""
    match prompt:
        case None:
            raise InvalidRequest(
                "Missing required parameter: 'prompt'.", code="missing_required_parameter", param="prompt"
            )
        case str() | [str()]:
            return prompt if isinstance(prompt, str) else str(prompt[0])
        case [str(), *_]:
            raise no_equal("prompt", "it takes one prompt at a time")
        case _:
            raise no_equal("prompt", "it takes text, not tokens")


@dataclass(frozen=True, slots=True)
class CompletionsCaller:
    """A caller of POST /v1/completions."""

    name: Wire = "openai_completions"
    operation: Operation = "text_completion"

    def parse(self, body: bytes) -> Call:
        return parse_completions_request(body)

    def as_chat(self, call: Call) -> Object:
        return completions_to_chat(call)

    def writer(self, call: Call, info: AnswerInfo) -> CompletionsWriter:
        echo = call.fields.get("echo") == b"true"
        return CompletionsWriter(info, prompt_of(orjson.loads(call.fields["prompt"])) if echo else "")

    def error_body(self, error: GatewayError) -> bytes:
        return error_body(error)

    def error_event(self, error: GatewayError) -> bytes:
        return error_event(error)


@dataclass(frozen=True, slots=True)
class CompletionsProvider:
    """A provider of ``{base_url}/completions``, for callers of the same: nothing else is worth translating to it."""

    name: Wire = "openai_completions"

    def path(self, model: str, stream: bool) -> str:
        return "/completions"

    def request(self, call: Call, model: str, *, usage_option: bool) -> bytes:
        return chat_to_upstream(call, model, usage_option=usage_option)

    def from_chat(self, chat: Mapping[str, Any], model: str, *, stream: bool) -> bytes:
        raise no_equal("messages", "it completes a text, and takes no conversation")

    def reader(self, info: AnswerInfo) -> AnswerReader:
        raise NotImplementedError("no chat request is ever sent as a completion")

    def fold(self) -> Fold:
        return ChatFold()

    def framing(self) -> Splitter:
        return EventSplitter()

    def error(
        self, status: int, headers: Mapping[str, str], body: bytes, secrets: Sequence[str], *, now_s: float
    ) -> ProviderError:
        return provider_error(status, headers, body, now_s=now_s, secrets=secrets)
