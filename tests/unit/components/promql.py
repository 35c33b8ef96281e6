"""Which metrics does a PromQL expression read?"""

from __future__ import annotations

import re

_WORDS = {
    *("and", "or", "unless", "by", "without", "on", "ignoring", "group_left", "group_right", "offset", "bool"),
    *("sum", "max", "min", "avg", "count", "topk", "rate", "increase", "histogram_quantile", "absent", "anchored"),
}
_LABELS_AFTER = re.compile(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
_RANGE = re.compile(r"\[[^\]]*\]")
_SELECTOR = re.compile(r"\{[^}]*\}")
_BY_NAME = re.compile(r'__name__\s*=~?\s*"([^"]*)"')
_IDENTIFIER = re.compile(r"(?<![\w.])[a-zA-Z_:][\w:]*")
_GROUP = re.compile(r"\(([^()]*)\)")


def metrics_in(expression: str) -> set[str]:
    """The metric names, those in ``__name__`` matchers (alternatives spelled out) included."""
    names = {name for pattern in _BY_NAME.findall(expression) for name in _alternatives(pattern)}
    bare = re.sub(r"\$+__\w+", "", expression)
    for noise in (_SELECTOR, _RANGE, _LABELS_AFTER):
        bare = noise.sub(" ", bare)
    return names | {
        word for word in _IDENTIFIER.findall(bare) if word not in _WORDS and not re.fullmatch(r"\d+[smhd]", word)
    }


def _alternatives(pattern: str) -> set[str]:
    """``a_(b|c)_d|e`` as its four words: the only regular expressions that our rules use."""
    if group := _GROUP.search(pattern):
        spelled_out: set[str] = set()
        for word in group[1].split("|"):
            spelled_out |= _alternatives(pattern[: group.start()] + word + pattern[group.end() :])
        return spelled_out
    return set(pattern.split("|"))
