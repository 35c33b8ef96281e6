"""A call that continues a response goes to the provider that stores it, as long as that is remembered."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from gatewayz.config import load_settings
from gatewayz.providers.catalog import load_providers
from gatewayz.records import Call
from gatewayz.routing.affinity import MAX_ID_CHARACTERS, MAX_REMEMBERED, ResponseAffinity
from gatewayz.routing.candidates import Candidate


@pytest.fixture
def both() -> Sequence[Candidate]:
    providers = load_providers(load_settings(), {"OPENAI_API_KEY": "k", "XAI_API_KEY": "k"})
    return [Candidate(providers[name], providers.state(name), "m") for name in ("openai", "xai")]


def call(previous: bytes | None) -> Call:
    fields = {} if previous is None else {"previous_response_id": previous}
    return Call(operation="chat", model="m", stream=False, fields=fields, body=b"")


def names(candidates: Sequence[Candidate]) -> list[str]:
    return [one.provider.name for one in candidates]


def test_only_the_provider_that_made_the_response_stays_a_candidate(both: Sequence[Candidate]) -> None:
    affinity = ResponseAffinity()
    affinity.remember("resp_1", "xai")
    assert names(affinity.narrow(call(b'"resp_1"'), both)) == ["xai"]
    assert names(affinity.narrow(call(None), both)) == ["openai", "xai"]


@pytest.mark.parametrize("raw", [b'"resp_2"', b"null", b"7", b"{}", b'"\\ud800"', b'"' + b"x" * 300 + b'"'])
def test_unknown_response_leaves_candidates_as_they_are(both: Sequence[Candidate], raw: bytes) -> None:
    affinity = ResponseAffinity()
    affinity.remember("resp_1", "xai")
    affinity.remember(None, "xai")
    affinity.remember("x" * (MAX_ID_CHARACTERS + 1), "xai")
    assert names(affinity.narrow(call(raw), both)) == ["openai", "xai"]


def test_provider_that_is_no_candidate_any_more_leaves_them_too(both: Sequence[Candidate]) -> None:
    affinity = ResponseAffinity()
    affinity.remember("resp_1", "groq")
    assert names(affinity.narrow(call(b'"resp_1"'), both)) == ["openai", "xai"]


def test_oldest_responses_are_forgotten(both: Sequence[Candidate]) -> None:
    affinity = ResponseAffinity()
    for number in range(MAX_REMEMBERED + 1):
        affinity.remember(f"resp_{number}", "xai")
    assert names(affinity.narrow(call(b'"resp_0"'), both)) == ["openai", "xai"]
    assert names(affinity.narrow(call(b'"resp_1"'), both)) == ["xai"]
