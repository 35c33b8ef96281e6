"""Which of a provider's keys to use now: in turn, without those that the provider has just refused.

A key that was refused as such (401, 402) rests for minutes, one that reached its rate limit rests for that model as long as
the provider says. The last usable key never rests on a guess: only a provider that said how long to wait is obeyed to the
point of not being asked at all. No threads and no clock in here: the time (monotonic seconds) is passed in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

REFUSED_S = 300.0
"""A refused key is tried again after this: long enough not to fail every other call, short enough that a key which was
repaired at the provider's side comes back by itself."""
LIMITED_S = 5.0
"""Rest after a 429 that does not say how long, if there is another key."""
MAX_RESTS = 1024
"""Pairs of key and model that are remembered; the model is the caller's text."""

REFUSING = frozenset({401, 402})


class Secret:
    """A string that does not show itself: its repr, and so every log line and traceback, holds stars."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__


class KeyPool:
    """The keys of one provider. One event loop's thread uses it."""

    __slots__ = ("_next", "_refused_until", "_rests", "secrets")

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        seen: dict[str, Secret] = {}
        for secret in secrets:
            seen.setdefault(secret.reveal(), secret)
        self.secrets: Sequence[Secret] = tuple(seen.values())
        self._next = 0
        self._refused_until: dict[Secret, float] = {}
        self._rests: dict[tuple[Secret, str], float] = {}

    def __len__(self) -> int:
        return len(self.secrets)

    def take(self, model: str, now_s: float) -> Secret | None:
        """The next key that may be used for ``model``, or None: there is none, or all rest (``wait_s`` tells)."""
        keys = self.secrets
        for offset in range(len(keys)):
            index = (self._next + offset) % len(keys)
            if self._rest_s(keys[index], model, now_s) <= 0:
                self._next = (index + 1) % len(keys)
                return keys[index]
        return None

    def wait_s(self, model: str, now_s: float) -> float:
        """Seconds until some key may be used for ``model``; 0 if one may be now, or if no key is needed."""
        return min((self._rest_s(key, model, now_s) for key in self.secrets), default=0.0)

    def failed(self, key: Secret, model: str, status: int, retry_after_s: float | None, now_s: float) -> None:
        """The provider answered a call made with ``key`` with ``status``; ``retry_after_s`` is what it asked for."""
        if status in REFUSING:
            if self._another(key, model, now_s):
                self._refused_until[key] = now_s + REFUSED_S
        elif status == 429:
            rest_s = retry_after_s
            if rest_s is None:
                rest_s = LIMITED_S if self._another(key, model, now_s) else 0.0
            if rest_s > 0:
                self._make_room(now_s)
                self._rests[key, model] = max(now_s + rest_s, self._rests.get((key, model), 0.0))

    def succeeded(self, key: Secret) -> None:
        """The provider took ``key``."""
        self._refused_until.pop(key, None)

    def adopt(self, before: KeyPool) -> None:
        """Takes over what ``before``, the pool of the same provider until a reload, knew of the keys that are still there."""
        mine = {secret.reveal(): secret for secret in self.secrets}
        for key, until in before._refused_until.items():
            if (kept := mine.get(key.reveal())) is not None:
                self._refused_until[kept] = until
        for (key, model), until in before._rests.items():
            if (kept := mine.get(key.reveal())) is not None:
                self._rests[kept, model] = until

    def _another(self, key: Secret, model: str, now_s: float) -> bool:
        return any(other is not key and self._rest_s(other, model, now_s) <= 0 for other in self.secrets)

    def _rest_s(self, key: Secret, model: str, now_s: float) -> float:
        until = max(self._refused_until.get(key, now_s), self._rests.get((key, model), now_s))
        return max(0.0, until - now_s)

    def _make_room(self, now_s: float) -> None:
        if len(self._rests) < MAX_RESTS:
            return
        self._rests = {pair: until for pair, until in self._rests.items() if until > now_s}
        while len(self._rests) >= MAX_RESTS:  # all of them rest still: the oldest are forgotten
            del self._rests[next(iter(self._rests))]


def split_keys(value: str) -> list[str]:
    """The keys in one variable: separated by commas, blanks around them do not count."""
    return [key for part in value.split(",") if (key := part.strip())]
