"""A call goes on where its response is kept, as far as that is remembered."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from gatewayz.config import load_settings
from gatewayz.providers.catalog import load_providers
from gatewayz.records import Call
from gatewayz.routing.candidates import Candidate
from gatewayz.routing.response_affinity import MAX_ID_CHARACTERS, MAX_REMEMBERED, Makers


@pytest.fixture
def both() -> Sequence[Candidate]:
    providers = load_providers(load_settings(), {"OPENAI_API_KEY": "k", "XAI_API_KEY": "k"})
    return [Candidate(providers[name], providers.state(name), "m") for name in ("openai", "xai")]


def call(previous: bytes | None) -> Call:
    fields = {} if previous is None else {"previous_response_id": previous}
    return Call(operation="chat", model="m", stream=False, fields=fields, body=b"")


def names(candidates: Sequence[Candidate]) -> list[str]:
    return [one.provider.name for one in candidates]


def test_only_the_maker_is_asked(both: Sequence[Candidate]) -> None:
    makers = Makers()
    makers.made("resp_1", "xai")
    assert names(makers.only(call(b'"resp_1"'), both)) == ["xai"]
    assert names(makers.only(call(None), both)) == ["openai", "xai"]


@pytest.mark.parametrize("raw", [b'"resp_2"', b"null", b"7", b"{}", b'"\\ud800"', b'"' + b"x" * 300 + b'"'])
def test_what_is_not_known_leaves_the_order_as_it_is(both: Sequence[Candidate], raw: bytes) -> None:
    makers = Makers()
    makers.made("resp_1", "xai")
    makers.made(None, "xai")
    makers.made("x" * (MAX_ID_CHARACTERS + 1), "xai")
    assert names(makers.only(call(raw), both)) == ["openai", "xai"]


def test_a_maker_that_is_gone_leaves_it_too(both: Sequence[Candidate]) -> None:
    makers = Makers()
    makers.made("resp_1", "groq")
    assert names(makers.only(call(b'"resp_1"'), both)) == ["openai", "xai"]


def test_the_oldest_are_forgotten(both: Sequence[Candidate]) -> None:
    makers = Makers()
    for number in range(MAX_REMEMBERED + 1):
        makers.made(f"resp_{number}", "xai")
    assert names(makers.only(call(b'"resp_0"'), both)) == ["openai", "xai"]
    assert names(makers.only(call(b'"resp_1"'), both)) == ["xai"]
