"""Ids of answers: one number under each wire's own prefix. Pure."""

from __future__ import annotations

import re

_PREFIX = re.compile(r"\A(?:req_|resp_|msg_|chatcmpl-|cmpl-)")


def bare_id(response_id: str) -> str:
    """The id without the prefix of its wire."""
    return _PREFIX.sub("", response_id)
