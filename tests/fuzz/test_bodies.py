"""Request bodies, hardly one of them right: no 5xx, no connection that ends without an answer, no fault of the gateway's.

``make test`` sends 10,000, ``make prove`` 100,000 others. A batch is made from one seed, which is in its test's name:

    FUZZ_BODIES=1000000 make prove                                      more of them
    FUZZ_SEED=123 .venv/bin/python -m pytest tests/fuzz/test_bodies.py  this batch only

A body that fails is written to tests/fuzz/regressions/, which is replayed first. Keep the file with the change that mends it.
"""

from __future__ import annotations

import os
from random import Random

import pytest

from tests.campaigns import batches
from tests.fuzz.bodies import bodies
from tests.fuzz.client import Answered, Posted
from tests.fuzz.conftest import Rig
from tests.fuzz.judgement import Wrong, check_answer, check_error, check_events, error_event_of, events_of
from tests.fuzz.regressions import REGRESSIONS, keep

BATCH = 1_000
SEEDS = batches(10, int(os.environ.get("FUZZ_BODIES", "100000")) // BATCH)


def judge(posted: Posted, answered: Answered) -> None:
    try:
        _judge(posted.path, answered)
    except Wrong as wrong:
        raise Wrong(f"{posted.path} {keep(posted)}: {wrong}") from None


def _judge(path: str, answered: Answered) -> None:
    if 400 <= answered.status < 500:
        check_error(path, answered)
    elif answered.status != 200:
        raise Wrong(f"answered with {answered.status}: {answered.body[:500]!r}")
    elif answered.content_type.startswith("text/event-stream"):
        events = events_of(answered)
        check_events(events)
        if error_event_of(path, events) is not None:  # the providers' answers are valid
            raise Wrong(f"a stream that failed: {answered.body[-500:]!r}")
    else:
        check_answer(path, answered)


def check_aftermath(rig: Rig) -> None:
    unreadable = rig.provider.unreadable
    assert not unreadable, f"reached a provider: {unreadable[0][:2000]!r}"
    log = rig.gateway.log.read_bytes()
    assert b"unexpected error" not in log
    assert b"Traceback" not in log


def test_bodies_that_failed_once_fail_no_more(rig: Rig) -> None:
    rig.runner.run(rig.client.post_all(REGRESSIONS, judge))
    check_aftermath(rig)


@pytest.mark.parametrize("seed", SEEDS)
def test_any_body_is_answered_or_refused(rig: Rig, seed: int) -> None:
    served = rig.provider.served
    rig.runner.run(rig.client.post_all(bodies(Random(seed), BATCH), judge))  # noqa: S311
    check_aftermath(rig)
    # A fuzzer whose every body is refused at the door shows nothing.
    assert rig.provider.served - served > BATCH / 20
