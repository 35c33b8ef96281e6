"""Answers of providers, hardly one of them right: the caller gets an answer or an error, in its wire's words, and never an
answer that looks complete and is not.

``make test`` plays 2,000, ``make prove`` 20,000 others. A batch is made from one seed, which is in its test's name:

    FUZZ_ANSWERS=200000 make prove                                                more of them
    FUZZ_SEED=123 .venv/bin/python -m pytest tests/fuzz/test_provider_answers.py  this batch only
"""

from __future__ import annotations

import os
from random import Random

import pytest

from tests.campaigns import batches
from tests.fuzz.client import Answered, Posted
from tests.fuzz.conftest import Rig
from tests.fuzz.judgement import (
    Wrong,
    check_answer,
    check_error,
    check_events,
    check_message,
    ends_well,
    error_event_of,
    events_of,
)
from tests.fuzz.provider import Reply
from tests.fuzz.provider_answers import Scene, scenes

BATCH = 500
SEEDS = batches(4, int(os.environ.get("FUZZ_ANSWERS", "20000")) // BATCH)
REFUSALS = (400, 429, 502, 503)
"""400, 429 and 503: what an error object under status 200 may mean."""


def check(scene: Scene, answered: Answered) -> None:
    path = scene.posted.path
    if answered.status in REFUSALS:
        error = check_error(path, answered)
        if "internal" in str(error.get("code")):
            raise Wrong(f"our own fault: {answered.body!r}")
    elif answered.status != 200:
        raise Wrong(f"answered with {answered.status}: {answered.body[:500]!r}")
    elif not scene.stream:
        if scene.fate == "cut":
            raise Wrong("a cut answer was taken for a whole one")
        if not scene.same_wire:  # else the bytes are the provider's
            check_answer(path, answered)
    else:
        _check_stream(scene, answered)


def _check_stream(scene: Scene, answered: Answered) -> None:
    path = scene.posted.path
    if b"secret" in answered.body and not scene.same_wire:
        raise Wrong("an error text of the provider's was handed on")
    events = events_of(answered) if not scene.same_wire else _events_of_theirs(answered)
    if not scene.same_wire:
        check_events(events)
    error = error_event_of(path, events)
    if error is not None:
        check_message(error.get("message"), answered)
        if "internal" in str(error.get("code")):
            raise Wrong(f"our own fault: {events[-1]!r}")
    if scene.fate == "cut" and (error is None or ends_well(path, events)):
        raise Wrong(f"a cut stream ended as if it were whole: {answered.body[-700:]!r}")
    if error is None and not scene.same_wire and not ends_well(path, events):
        raise Wrong(f"neither an end nor an error: {answered.body[-700:]!r}")
    if scene.fate == "whole" and error is not None:
        raise Wrong(f"an error where there was none: {error}")


def _events_of_theirs(answered: Answered) -> list[bytes]:
    """Of bytes that were handed on as they came, only the last event may be ours."""
    try:
        return events_of(answered)
    except Wrong:
        return []


@pytest.mark.parametrize("seed", SEEDS)
def test_any_answer_of_a_provider_becomes_an_answer_or_an_error(rig: Rig, seed: int) -> None:
    played = {scene.posted.body: scene for scene in scenes(Random(seed), BATCH)}  # noqa: S311
    replies = {_number_in(scene.posted.body): scene.reply for scene in played.values()}

    def judge(posted: Posted, answered: Answered) -> None:
        scene = played[posted.body]
        try:
            check(scene, answered)
        except Wrong as wrong:
            raise Wrong(f"{wrong}\n  where {posted.path} {posted.body!r}\n  got {scene.reply.data!r}") from None

    rig.provider.reply_to = replies.get
    try:
        rig.runner.run(rig.client.post_all([scene.posted for scene in played.values()], judge))
    finally:
        rig.provider.reply_to = _usual
    log = rig.gateway.log.read_bytes()
    assert b"unexpected error" not in log
    assert b"Traceback" not in log


def _usual(model: str) -> Reply | None:
    return None


def _number_in(body: bytes) -> str:
    return body[body.index(b"/") + 1 : body.index(b'",')].decode()
