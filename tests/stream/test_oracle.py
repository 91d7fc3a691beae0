"""The oracle answers record by record, and what it folds is those answers put together."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice

from tests.stream.oracle import answers, fold
from tests.stream.streamkit import Input, claims
from worker.adjudication import Adjudicated, Limits, Rejected, encode

RECORDS = [*claims(20), Input(b"key", b"no claim"), *claims(5, seed=2)]


def test_answers_put_together_are_what_is_folded() -> None:
    histories: dict[bytes, bytes] = {}
    given = list(answers(RECORDS, Limits(), histories))
    folded = fold(RECORDS)
    assert [offset for offset, _ in given] == list(range(len(RECORDS)))
    letters = [(offset, answer.reason) for offset, answer in given if isinstance(answer, Rejected)]
    assert letters == folded.letters == [(20, letters[0][1])]
    decided = [answer for _, answer in given if isinstance(answer, Adjudicated)]
    assert decided == folded.accepted
    assert [encode(result) for answer in decided for result in answer.results] == [
        value for _, value in folded.results
    ]
    assert histories == folded.histories
    assert histories


def test_answers_are_given_as_the_records_come() -> None:
    def endless() -> Iterator[Input]:
        for seed in count(1):
            yield from claims(1, seed)

    assert [offset for offset, _ in islice(answers(endless()), 3)] == [0, 1, 2]
