"""Which provider keeps the response that a call goes on from? Only the one that made it knows it by its id."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from gatewayz.records import Call
from gatewayz.routing.candidates import Candidate

MAX_REMEMBERED = 10_000
"""Responses per worker, the latest: some megabytes. An older one goes to whoever comes first, as one of another worker's."""
MAX_ID_CHARACTERS = 256


class Makers:
    """Remembers who made the responses of late (``previous_response_id`` of the Responses API)."""

    __slots__ = ("_by_id",)

    def __init__(self) -> None:
        self._by_id: dict[str, str] = {}

    def made(self, response_id: str | None, provider: str) -> None:
        """``provider`` answered, in its own wire, with the response of this id."""
        if response_id is None or len(response_id) > MAX_ID_CHARACTERS:
            return
        if len(self._by_id) >= MAX_REMEMBERED:
            del self._by_id[next(iter(self._by_id))]
        self._by_id[response_id] = provider

    def only(self, call: Call, candidates: Sequence[Candidate]) -> Sequence[Candidate]:
        """The candidates that can go on from the response that the call names: all of them, where nothing is known of it."""
        raw = call.fields.get("previous_response_id")
        if raw is None or len(candidates) == 1 or len(raw) > MAX_ID_CHARACTERS:
            return candidates
        try:
            maker = self._by_id.get(str(orjson.loads(raw)))
        except orjson.JSONDecodeError:  # half of a surrogate pair: no id of anybody's, and the provider's to refuse
            return candidates
        return [one for one in candidates if one.provider.name == maker] or candidates
