"""How is a value written into a query so that it stays a value?"""

from __future__ import annotations

import json
import re

_NO_TEXT = re.compile(r"[\ud800-\udfff]")


def quoted(text: str) -> str:
    """A string literal of PromQL, LogQL, TraceQL and LogsQL: all four read what Go's `strconv.Unquote` reads.

    A JSON string is such a literal as long as it holds no surrogates: Go has no `\\ud83d`, so other characters than control
    characters are written as they are, and half a pair, which is no character, becomes U+FFFD.
    """
    return json.dumps(_NO_TEXT.sub("\ufffd", text), ensure_ascii=False)
