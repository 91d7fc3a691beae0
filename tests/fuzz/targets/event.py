"""Events of a member, one a line: decoded, decided one after the other, encoded, and their results read."""

from __future__ import annotations

from functools import cache

from tests.fuzz.published import read_published
from tests.fuzz.rejections import assert_says_no_value
from worker.adjudication import Reference, adjudicate, decode, encode
from worker.adjudication.claim import Event
from worker.adjudication.decode import Rejected
from worker.adjudication.stored import read, write
from worker.reference import load_reference

MOST_EVENTS = 12
"""Of one input; what comes behind them costs time and shows nothing new."""


@cache
def reference() -> Reference:
    """The rules and codes that come with the worker."""
    return load_reference()


def check(data: bytes) -> None:
    histories: dict[str, bytes] = {}
    revisions: dict[tuple[str, str], int] = {}
    for line in data.split(b"\n")[:MOST_EVENTS]:
        event = decode(line)
        if isinstance(event, Rejected):
            continue
        member = event.data.member_id
        before = histories.get(member)
        answer = adjudicate(event, before, reference())
        if isinstance(answer, Rejected):
            assert_says_no_value(answer)
            continue
        if answer.history is None:
            assert not answer.results
            continue
        histories[member] = answer.history
        assert write(read(answer.history)) == answer.history
        values = [encode(result) for result in answer.results]
        told = [read_published(value) for value in values]
        assert len({result.claim_id for result in told}) == len(told)
        for result in told:
            assert result.member_id == member
            assert result.cause.id == event.id
            claim = (member, result.claim_id)
            # One that the look-back has dropped begins anew when its id comes again.
            assert result.revision in {1, revisions.get(claim, 0) + 1}
            revisions[claim] = result.revision
        _assert_same(event, before, values, answer.history)
        seen = adjudicate(event, answer.history, reference())
        assert not isinstance(seen, Rejected)
        assert seen.history is None


def _assert_same(event: Event, before: bytes | None, values: list[bytes], after: bytes) -> None:
    """The same event and history give the same bytes."""
    again = adjudicate(event, before, reference())
    assert not isinstance(again, Rejected)
    assert [encode(result) for result in again.results] == values
    assert again.history == after
