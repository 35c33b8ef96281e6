"""What the callers of the matrix have in common: OpenAI's SDK tells of failures in one way for three of the wires."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import openai

from gatewayz.wires.base import Wire
from tests.contract.matrix.scenario import RESULTS, Delivery, Failure, Json, Scenario, Seen
from tests.fakes.clients import openai_at


class Caller(Protocol):
    """One vendor's SDK, as its user holds it."""

    @property
    def wire(self) -> Wire: ...

    def ask(self, model: str, scenario: Scenario, delivery: Delivery) -> Seen:
        """Both turns of a conversation, if it has two. What the SDK raises is in ``Seen.failure``; that an answer is put
        together wrong is an AssertionError."""
        ...

    def close(self) -> None: ...


class OpenAiCaller:
    """OpenAI's SDK, whichever of its endpoints is asked."""

    def __init__(self, url: str, key: str) -> None:
        self._client = openai_at(url, key)

    def close(self) -> None:
        self._client.close()


def second_turn(ask: Callable[[Seen], object], seen: Seen) -> None:
    """The answer to the tools' results: it is whole, and counts as the first one did."""
    second = Seen()
    ask(second)
    assert (second.ending, second.usage) == ("end", seen.usage)
    seen.after_tools = second.text


def openai_failure(error: openai.APIError) -> Failure:
    if isinstance(error, openai.APIStatusError):
        retry_after = error.response.headers.get("retry-after")
        word = error.code or error.type
        return Failure(error.status_code, word, error.param, error.message, retry_after)
    return Failure(None, error.code or error.type, error.param, error.message)


def results_of(calls: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """(id, result) for each (id, name) that was called."""
    ids = [call_id for call_id, _ in calls]
    assert all(ids), ids
    assert len({*ids}) == len(ids), ids
    return [(call_id, RESULTS[name]) for call_id, name in calls]


def schema_named(schema: Json) -> Json:
    return {"name": "weather", "schema": schema, "strict": True}
