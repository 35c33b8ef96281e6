"""The demo provider's tokenizer: deterministic, offline, and simple enough to count by hand.

A token is up to six letters or digits together with the one space before them, or a run of other white space, or a single
sign. English comes to about one token and a third per word, as with real vocabularies. The pieces, joined, are the text.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(r" ?[^\W_]{1,6}|\s+|[\W_]")

TOKENS_PER_MESSAGE = 4  # what OpenAI's format adds around a message
TOKENS_PER_ANSWER = 3  # and around the answer it asks for
TOKENS_PER_IMAGE = 85  # a low-resolution image


def tokens_of(text: str) -> list[str]:
    return _TOKEN.findall(text)


def count_tokens(text: str) -> int:
    return len(_TOKEN.findall(text))
