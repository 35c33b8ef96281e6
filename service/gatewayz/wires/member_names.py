"""Gives a refused member the name that the caller used, where a provider's wire has no equal for it. Pure.

A request that is translated through chat is refused by chat's name of the member, which a caller of another wire does not
know.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from gatewayz.errors import InvalidRequest
from gatewayz.wires.base import Wire

_WORDS: Mapping[Wire, Mapping[str, str]] = {
    "openai_completions": {
        "messages": "prompt",
        "max_completion_tokens": "max_tokens",
        "top_logprobs": "logprobs",
    },
    "openai_responses": {
        "messages": "input",
        "max_completion_tokens": "max_output_tokens",
        "response_format": "text.format",
        "verbosity": "text.verbosity",
        "reasoning_effort": "reasoning.effort",
        "logprobs": "top_logprobs",
    },
    "anthropic_messages": {
        "messages": "messages",
        "max_completion_tokens": "max_tokens",
        "stop": "stop_sequences",
        "parallel_tool_calls": "tool_choice.disable_parallel_tool_use",
        "response_format": "output_config.format",
        "reasoning_effort": "output_config.effort",
        "user": "metadata.user_id",
    },
}
"""For each caller's wire: chat's member, and the member that it was made from. The position in the conversation is left out,
for items and messages differ in number."""

_MEMBER = re.compile(r"\w+")
_TOOL = re.compile(r"tools\[\d+\]|tool_choice")


def with_callers_name(error: InvalidRequest, caller: Wire) -> InvalidRequest:
    """The same refusal with the name of the member in the caller's own request."""
    words = _WORDS.get(caller)
    if words is None or error.param is None or (member := _MEMBER.match(error.param)) is None:
        return error
    tool = _TOOL.match(error.param)  # members of a tool have different names on each wire
    param = tool[0] if tool else words.get(member[0], error.param)
    if caller == "openai_responses" and param.startswith("tools["):
        param = "tools"  # tools in namespaces and left-out tools change the numbering, too
    if param == error.param:
        return error
    message = error.message.replace(f"'{error.param}'", f"'{param}'")
    return InvalidRequest(message, code=error.code, param=param)
