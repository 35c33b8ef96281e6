"""How long a call goes on after its caller has disconnected, and how many such calls there are."""

from __future__ import annotations

from gatewayz.attempts.disconnect import Disconnect, OrphanedCalls, OrphanPolicy


def waiting(orphaned: OrphanedCalls) -> Disconnect:
    """A caller for which a provider works on a whole answer."""
    disconnect = Disconnect()
    disconnect.whole_answer_began(orphaned)
    return disconnect


def test_whole_answer_is_waited_for_as_long_as_the_policy_says() -> None:
    disconnect = waiting(OrphanedCalls(OrphanPolicy(wait_s=7)))
    assert disconnect.happened() == 7
    assert disconnect.gone


def test_call_without_an_attempt_at_a_whole_answer_ends_at_once() -> None:
    assert Disconnect().happened() == 0
    disconnect = waiting(OrphanedCalls(OrphanPolicy()))
    disconnect.attempt_over()
    assert disconnect.happened() == 0
    assert disconnect.gone


def test_no_call_is_orphaned_where_the_policy_allows_no_time() -> None:
    orphaned = OrphanedCalls(OrphanPolicy(wait_s=0, max_calls=1))
    for _ in range(2):
        assert waiting(orphaned).happened() == 0


def test_more_orphaned_calls_than_allowed_end_at_once_until_one_is_over() -> None:
    orphaned = OrphanedCalls(OrphanPolicy(wait_s=7, max_calls=1))
    first = waiting(orphaned)
    assert first.happened() == 7
    refused = waiting(orphaned)
    assert refused.happened() == 0
    refused.attempt_over()  # it was not counted, and frees no place
    assert waiting(orphaned).happened() == 0
    first.attempt_over()
    first.attempt_over()
    assert waiting(orphaned).happened() == 7
    assert waiting(orphaned).happened() == 0
