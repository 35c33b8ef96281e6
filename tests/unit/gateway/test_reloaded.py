"""What a reload makes of what was learned: it holds as long as calls go to the same place, with the same keys."""

from __future__ import annotations

import pytest

from gatewayz.config import load_settings
from gatewayz.providers.catalog import load_providers
from gatewayz.providers.registry import Providers
from tests.unit.gateway.conftest import Rig

MORE_THAN_OPEN_IT = 7


def reload(rig: Rig, **changed: str) -> None:
    """Replaces the providers and tells the route states which have changed, as app.py does."""
    rig.gateway.route_states.forget(rig.providers.replace(configured(rig, **changed)))


def configured(rig: Rig, **changed: str) -> Providers:
    known = {f"{name.upper()}_BASE_URL": fake.base_url for name, fake in rig.fakes.items()}
    known |= {f"{name.upper()}_API_KEY": f"sk-{name}-canary" for name in rig.fakes}
    return load_providers(load_settings(), known | changed)


async def fail(rig: Rig) -> None:
    for _ in range(MORE_THAN_OPEN_IT):
        await rig.ask("openai/500")
    assert rig.gateway.route_states.breaker_state("openai", "500") == "open"


@pytest.mark.parametrize("what", ["OPENAI_BASE_URL", "OPENAI_API_KEY"])
async def test_reload_with_another_address_or_key_closes_the_breaker(rig: Rig, what: str) -> None:
    await fail(rig)
    value = "sk-another" if what == "OPENAI_API_KEY" else rig.fakes["groq"].base_url
    rig.fakes["groq"].behave = rig.fakes["openai"].behave = lambda received: "ok"
    reload(rig, **{what: value})
    assert (await rig.ask("openai/500")).provider == "openai"


async def test_reload_of_the_same_provider_keeps_its_breaker_open(rig: Rig) -> None:
    await fail(rig)
    reload(rig)
    assert (await rig.ask("openai/500")).refused.error_type == "gateway_no_candidate"


async def test_removed_provider_has_no_breaker_state(rig: Rig) -> None:
    await fail(rig)
    reload(rig, OPENAI_API_KEY="")
    assert not [
        one for one in rig.gateway.route_states.breaker_states() if one[1]["gatewayz.provider.name"] == "openai"
    ]
