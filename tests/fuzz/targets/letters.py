"""A record of the dead-letter topic, as ``redrive`` and ``status`` read it back, whoever wrote it."""

from __future__ import annotations

from tests.fuzz.framing import record_of
from tests.fuzz.targets.headers import consumed
from worker.adjudication.decode import Rejected
from worker.stream.deadletters import ADDED, dead_letter, taken_apart
from worker.stream.redrive.letter import letter_of

REJECTED = Rejected("contract", "$.data.lines[0]", "a line number is used twice")


def check(data: bytes) -> None:
    value, headers = record_of(data)
    apart = taken_apart(headers)
    letter = letter_of(consumed(value, headers))
    if apart is None:
        assert letter.why is None
    else:
        own, texts = apart
        assert [*own] == [*headers][: -len(ADDED)]
        assert len(texts) == len(ADDED)
    if letter.why is not None:
        assert 0 <= letter.why.partition < 10**19
        assert 0 <= letter.why.offset < 10**19
    # What the worker sets aside it finds again, under whatever headers the record came with.
    aside = dead_letter(consumed(value, headers), REJECTED)
    found = taken_apart(aside.headers)
    assert found is not None
    assert [*found[0]] == [*headers]
    why = letter_of(consumed(value, aside.headers)).why
    assert why is not None
    assert (why.topic, why.partition, why.offset) == ("mms.claim-events.v1", 3, 17)
    assert (why.reason, why.path, why.message) == REJECTED
