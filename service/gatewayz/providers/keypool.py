"""Which of a provider's keys to use now: in turn, without those that are cooling down.

A key that the provider rejects as such (401, 402) cools down for minutes; one that reached its rate limit cools down for that
model alone, for as long as the provider says. The last usable key never cools down on a guess: only a provider that said how
long to wait is left alone with every key. No threads and no clock in here: the time (monotonic seconds) is passed in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

REJECTED_COOLDOWN_S = 300.0
"""A rejected key is tried again after this: long enough not to fail every other call, short enough that a key which was
repaired at the provider's side comes back by itself."""
RATE_LIMITED_COOLDOWN_S = 5.0
"""After a 429 that does not say how long, if there is another key."""
MAX_COOLDOWNS = 1024
"""Pairs of key and model that are remembered; the model is the caller's text."""

REJECTING_STATUSES = frozenset({401, 402})


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

    __slots__ = ("_cooldowns", "_next", "_rejected_until", "secrets")

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        """Of equal keys the first is kept."""
        self.secrets: Sequence[Secret] = distinct(secrets)
        self._next = 0
        self._rejected_until: dict[Secret, float] = {}
        self._cooldowns: dict[tuple[Secret, str], float] = {}

    def __len__(self) -> int:
        return len(self.secrets)

    def take(self, model: str, now_s: float) -> Secret | None:
        """The next key that may be used for ``model``, or None: there is none, or all cool down (see ``wait_s``)."""
        keys = self.secrets
        for offset in range(len(keys)):
            index = (self._next + offset) % len(keys)
            if self._cooldown_s(keys[index], model, now_s) <= 0:
                self._next = (index + 1) % len(keys)
                return keys[index]
        return None

    def wait_s(self, model: str, now_s: float) -> float:
        """Seconds until some key may be used for ``model``; 0 if one may be now, or if no key is needed."""
        if not self._rejected_until and not self._cooldowns:  # nearly always, and asked before every attempt
            return 0.0
        return min((self._cooldown_s(key, model, now_s) for key in self.secrets), default=0.0)

    def failed(self, key: Secret, model: str, status: int, retry_after_s: float | None, now_s: float) -> None:
        """The provider answered a call made with ``key`` with ``status``; ``retry_after_s`` is what it asked for."""
        if status in REJECTING_STATUSES:
            if self._has_another(key, model, now_s):
                self._rejected_until[key] = now_s + REJECTED_COOLDOWN_S
        elif status == 429:
            cooldown_s = retry_after_s
            if cooldown_s is None:
                cooldown_s = RATE_LIMITED_COOLDOWN_S if self._has_another(key, model, now_s) else 0.0
            if cooldown_s > 0:
                self._make_room(now_s)
                self._cooldowns[key, model] = max(now_s + cooldown_s, self._cooldowns.get((key, model), 0.0))

    def succeeded(self, key: Secret) -> None:
        """The provider accepted ``key``."""
        self._rejected_until.pop(key, None)

    def adopt(self, before: KeyPool) -> None:
        """Takes over what ``before``, the pool of the same provider until a reload, knew of the keys that are still there."""
        remaining = {secret.reveal(): secret for secret in self.secrets}
        for key, until_s in before._rejected_until.items():
            if (kept := remaining.get(key.reveal())) is not None:
                self._rejected_until[kept] = until_s
        for (key, model), until_s in before._cooldowns.items():
            if (kept := remaining.get(key.reveal())) is not None:
                self._cooldowns[kept, model] = until_s

    def _has_another(self, key: Secret, model: str, now_s: float) -> bool:
        return any(other is not key and self._cooldown_s(other, model, now_s) <= 0 for other in self.secrets)

    def _cooldown_s(self, key: Secret, model: str, now_s: float) -> float:
        until_s = max(self._rejected_until.get(key, now_s), self._cooldowns.get((key, model), now_s))
        return max(0.0, until_s - now_s)

    def _make_room(self, now_s: float) -> None:
        if len(self._cooldowns) < MAX_COOLDOWNS:
            return
        self._cooldowns = {pair: until_s for pair, until_s in self._cooldowns.items() if until_s > now_s}
        while len(self._cooldowns) >= MAX_COOLDOWNS:  # none has ended yet: the oldest are forgotten
            del self._cooldowns[next(iter(self._cooldowns))]


def distinct(secrets: Iterable[Secret]) -> tuple[Secret, ...]:
    """The secrets without repetitions, in their order."""
    seen: dict[str, Secret] = {}
    for secret in secrets:
        seen.setdefault(secret.reveal(), secret)
    return tuple(seen.values())


def split_keys(value: str) -> list[str]:
    """The keys in one variable: separated by commas, blanks around them do not count."""
    return [key for part in value.split(",") if (key := part.strip())]
