"""100,000 request bodies, hardly one of them right: no 5xx, no connection that ends without an answer, no fault of the gateway's.

One example is a batch, all of it from one seed, which hypothesis prints when the batch fails:

    FUZZ_BODIES=1000000 .venv/bin/python -m pytest tests/fuzz/test_bodies.py     more of them
    FUZZ_SEED=123 .venv/bin/python -m pytest tests/fuzz/test_bodies.py           this batch only

A body that fails is written to tests/fuzz/regressions/, which is replayed first. Keep the file with the change that mends it.
"""

from __future__ import annotations

import os
from random import Random

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.fuzz.bodies import bodies
from tests.fuzz.client import Answered, Posted
from tests.fuzz.conftest import Rig
from tests.fuzz.judgement import Wrong, check_answer, check_error, check_events, error_event_of, events_of
from tests.fuzz.regressions import REGRESSIONS, keep

BATCH = 1_000
BATCHES = int(os.environ.get("FUZZ_BODIES", "100000")) // BATCH
SEEDS = st.just(int(os.environ["FUZZ_SEED"])) if "FUZZ_SEED" in os.environ else st.integers(0, 2**63)


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


def test_what_failed_once(rig: Rig) -> None:
    rig.runner.run(rig.client.post_all(REGRESSIONS, judge))
    check_aftermath(rig)


@settings(max_examples=BATCHES, phases=[Phase.explicit, Phase.reuse, Phase.generate], print_blob=True)
@given(seed=SEEDS)
def test_whatever_is_sent_is_answered_or_refused(rig: Rig, seed: int) -> None:
    rig.runner.run(rig.client.post_all(bodies(Random(seed), BATCH), judge))  # noqa: S311
    assert not rig.provider.unreadable, f"reached a provider: {rig.provider.unreadable[0][:2000]!r}"


def test_it_reached_the_providers_and_left_no_trace_in_the_log(rig: Rig) -> None:
    """A fuzzer whose every body is refused at the door shows nothing."""
    check_aftermath(rig)
    assert rig.provider.served > BATCHES * BATCH / 20
