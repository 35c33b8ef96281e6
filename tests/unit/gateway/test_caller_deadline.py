"""What a caller's own time limits may do: to his calls, and to nobody else's."""

from __future__ import annotations

import pytest

from tests.unit.gateway.conftest import Rigs

HASTE = [(b"x-gatewayz-timeout", b"0.05"), (b"x-gatewayz-first-chunk-timeout", b"0.05")]
MORE_THAN_OPEN_IT = 7


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("haste", HASTE, ids=[name.decode() for name, _ in HASTE])
async def test_callers_own_deadline_opens_no_breaker_for_others(
    rigs: Rigs, haste: tuple[bytes, bytes], stream: bool
) -> None:
    rig = await rigs(real_time=True)
    for _ in range(MORE_THAN_OPEN_IT):
        hasty = await rig.ask("openai/slow-first-0.4s", stream=stream, headers=(haste,))
        assert hasty.refused.error_type == "provider_first_chunk_timeout"
    patient = await rig.ask("openai/slow-first-0.4s", stream=stream)
    assert patient.provider == "openai"


async def test_silent_provider_opens_its_breaker_whatever_time_callers_allow(rigs: Rigs) -> None:
    rig = await rigs(real_time=True, first_byte_timeout_s=0.1)
    results = [await rig.ask("openai/hang", headers=((b"x-gatewayz-timeout", b"1"),)) for _ in range(MORE_THAN_OPEN_IT)]
    assert results[-1].refused.error_type == "gateway_no_candidate"
