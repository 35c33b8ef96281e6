"""What follows a failure: again, elsewhere, or the caller is told."""

from __future__ import annotations

import pytest

from gatewayz.errors import (
    ProviderBadRequest,
    ProviderOverloaded,
    ProviderRateLimited,
    ProviderServerError,
)
from tests.unit.gateway.conftest import Rig

pytestmark = pytest.mark.parametrize("stream", [False, True])


async def test_failure_is_followed_by_one_retry(rig: Rig, stream: bool) -> None:
    result = await rig.ask("openai/500-once", stream=stream)

    assert result.answer
    assert rig.attempts(result) == [("openai", "first", "provider_server_error"), ("openai", "retry", None)]


async def test_connection_reset_before_the_answer_is_retried_once(rig: Rig, stream: bool) -> None:
    result = await rig.ask("openai/rst-before-headers", stream=stream)

    assert result.refused.error_type == "provider_connection_error"
    assert [reason for _, reason, _ in rig.attempts(result)] == ["first", "retry"]


async def test_overloaded_provider_falls_back_to_the_next(rig: Rig, stream: bool) -> None:
    result = await rig.ask("openai/503", models=["groq/ok-7-tokens"], stream=stream)

    assert result.provider == "groq"
    assert rig.fakes["groq"].requests[-1].model == "ok-7-tokens"
    assert "models" not in rig.fakes["groq"].requests[-1].json
    assert rig.attempts(result) == [("openai", "first", "provider_overloaded"), ("groq", "fallback", None)]


async def test_only_provider_is_retried_a_limited_number_of_times(rig: Rig, stream: bool) -> None:
    result = await rig.ask("openai/429", stream=stream)

    assert isinstance(result.refused, ProviderRateLimited)
    assert len(rig.fakes["openai"].requests) == 2


@pytest.mark.parametrize("script", ["400-context", "409", "413", "422"])
async def test_rejected_request_is_final(rig: Rig, stream: bool, script: str) -> None:
    result = await rig.ask(f"openai/{script}", models=["groq/ok"], stream=stream)

    assert isinstance(result.refused, ProviderBadRequest)
    assert result.refused.body
    assert len(rig.fakes["openai"].requests) == 1
    assert not rig.fakes["groq"].requests


async def test_model_not_found_falls_back_to_another_provider(rig: Rig, stream: bool) -> None:
    result = await rig.ask("openai/no-such-script", models=["groq/ok"], stream=stream)

    assert result.provider == "groq"
    assert len(rig.fakes["openai"].requests) == 1


async def test_primarys_failure_wins_over_a_substitutes_rejection(rig: Rig, stream: bool) -> None:
    result = await rig.ask("openai/500", models=["groq/400-context"], stream=stream)

    assert isinstance(result.refused, ProviderServerError)
    assert result.refused.provider == "openai"
    assert "groq: provider_bad_request" in result.refused.message


async def test_rejection_by_a_substitute_falls_back_to_the_next(rig: Rig, stream: bool) -> None:
    result = await rig.ask("openai/503", models=["groq/400", "together/ok"], stream=stream)

    assert result.provider == "together"


async def test_rejected_provider_key_is_not_the_final_error_if_there_is_another(rig: Rig, stream: bool) -> None:
    result = await rig.ask("openai/401", models=["groq/503"], stream=stream)

    assert isinstance(result.refused, ProviderOverloaded)


async def test_timeout_is_tried_once_per_provider(rig: Rig, stream: bool) -> None:
    result = await rig.ask("openai/hang", models=["groq/ok"], stream=stream)

    assert result.provider == "groq"
    assert len(rig.fakes["openai"].requests) == 1
    assert rig.attempts(result)[0] == ("openai", "first", "provider_first_chunk_timeout")


@pytest.mark.parametrize("script", ["html-200", "empty-200", "bad-json-200", "not-http", "redirect"])
async def test_malformed_answer_falls_back(rig: Rig, stream: bool, script: str) -> None:
    result = await rig.ask(f"openai/{script}", models=["groq/ok"], stream=stream)

    assert result.provider == "groq"
    assert rig.attempts(result)[0] == ("openai", "first", "provider_malformed_response")


async def test_final_error_names_every_attempt(rig: Rig, stream: bool) -> None:
    result = await rig.ask("openai/500", models=["groq/503", "together/html-200"], stream=stream)

    assert rig.attempts(result) == [
        ("openai", "first", "provider_server_error"),
        ("openai", "retry", "provider_server_error"),
        ("groq", "fallback", "provider_overloaded"),
        ("together", "fallback", "provider_malformed_response"),
    ]
    for told in ("openai: provider_server_error", "groq: provider_overloaded", "together: provider_malformed"):
        assert told in result.refused.message
