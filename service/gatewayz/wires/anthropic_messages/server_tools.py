"""What Anthropic's server tools did in an earlier turn, as text: another provider's model can be given it in no other way."""

from __future__ import annotations

from typing import Any

import orjson

from gatewayz.wires.json_values import Object, list_of, object_of, text_of

_TEXT_MEMBERS = ("title", "url", "text", "stdout", "stderr", "error_code")
MAX_TOLD = 8_000
"""Characters of one result. Fetched pages are long, and the answer made from them follows anyway."""


def is_server_tool(block: Object) -> bool:
    """Whether the block is a call that Anthropic both made and answered, or the result of one."""
    kind = text_of(block.get("type"))
    return kind in ("server_tool_use", "mcp_tool_use") or (kind.endswith("_tool_result") and kind != "tool_result")


def server_tool_text(block: Object) -> str:
    """One line for a call, one for each thing that a result holds."""
    if block.get("type") in ("server_tool_use", "mcp_tool_use"):
        asked = orjson.dumps(object_of(block.get("input"))).decode()
        return f"\n[{text_of(block.get('name')) or 'tool'}: {asked}]\n"
    found = "\n".join(_texts_in(block.get("content")))[:MAX_TOLD]
    return f"\n[result: {found or 'nothing'}]\n"


def _texts_in(content: Any) -> list[str]:
    lines: list[str] = []
    waiting: list[Any] = [content]
    while waiting:
        value = waiting.pop()
        if members := object_of(value):
            if line := " ".join([text for name in _TEXT_MEMBERS if (text := text_of(members.get(name)))]):
                lines.append(line)
            waiting.extend([inner for inner in reversed(members.values()) if isinstance(inner, dict | list)])
        else:
            waiting.extend(reversed(list_of(value)))
    return lines
