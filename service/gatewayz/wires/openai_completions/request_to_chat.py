"""A request of OpenAI's older completions as a chat request. Pure: no I/O, no clock."""

from __future__ import annotations

from typing import Any

import orjson

from gatewayz.errors import InvalidRequest
from gatewayz.records import Call
from gatewayz.wires.json_values import Object, no_equal, present, wrong_type

DEFAULT_MAX_TOKENS = 16
"""This endpoint's default; chat's default is no limit."""

MAX_TOP_LOGPROBS = 20  # chat's limit


def completions_request_to_chat(call: Call) -> Object:
    """The same request as a chat request: the prompt becomes the user's only message.

    Raises InvalidRequest for what has no equal in chat: several prompts, tokens instead of text, a suffix, log probabilities
    of the prompt, tools, and a ``best_of`` other than ``n``.
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
    """The one text to complete."""
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
