"""Which provider stores the response that a call continues? Only the provider that made a response knows it by its id."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from gatewayz.records import Call
from gatewayz.routing.candidates import Candidate

MAX_REMEMBERED = 10_000
"""Responses per worker, the latest: some megabytes. A call that continues an older one, or one of another worker's, goes to the
first candidate."""
MAX_ID_CHARACTERS = 256


class ResponseAffinity:
    """Remembers which provider made the latest responses (``previous_response_id`` of the Responses API)."""

    __slots__ = ("_by_id",)

    def __init__(self) -> None:
        self._by_id: dict[str, str] = {}

    def remember(self, response_id: str | None, provider: str) -> None:
        """``provider`` answered with the response of this id, in the Responses API itself."""
        if response_id is None or len(response_id) > MAX_ID_CHARACTERS:
            return
        if len(self._by_id) >= MAX_REMEMBERED:
            del self._by_id[next(iter(self._by_id))]
        self._by_id[response_id] = provider

    def narrow(self, call: Call, candidates: Sequence[Candidate]) -> Sequence[Candidate]:
        """The candidates that can continue the response that the call names; all of them where its provider is not known."""
        raw = call.fields.get("previous_response_id")
        if raw is None or len(candidates) == 1 or len(raw) > MAX_ID_CHARACTERS:
            return candidates
        try:
            provider = self._by_id.get(str(orjson.loads(raw)))
        except orjson.JSONDecodeError:  # half of a surrogate pair: no valid id, and for the provider to reject
            return candidates
        return [one for one in candidates if one.provider.name == provider] or candidates
