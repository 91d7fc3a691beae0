"""A claim taken through the core stage by stage, a slice of claims at a time, as the worker does it.

The stages are those of ``adjudicate_alone`` and ``adjudicate``, called one after the other: hence the names
from inside the core. A stage that goes from there has to go from here.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from tests.bench.core.laps import Laps, sliced
from tests.bench.scaling.core import Case
from worker.adjudication import Reference, decode, encode, stored
from worker.adjudication.decide import DEFAULT_LIMITS, _decide, _marks, _result, _said
from worker.adjudication.decode import _broken_rule, _decode_submission, _encode, _not_json
from worker.adjudication.held import EMPTY, NOTHING_PUBLISHED
from worker.adjudication.history import _mark, events_digest, fold
from worker.adjudication.kept import pack
from worker.adjudication.member import rule_alone
from worker.adjudication.published import misformed


def alone(cases: Sequence[Case], reference: Reference) -> dict[str, float]:
    """Seconds of each stage where a claim is decided by itself."""
    laps = Laps()
    for some in sliced(cases):
        laps.begin()
        events = [decode(case.value) for case in some]
        laps.end("decode")
        ruled = [rule_alone(event.data, reference) for event in events]
        laps.end("rules")
        said = [_said(one) for one in ruled]
        laps.end("said")
        results = [
            _result(event, event.data.claim_id, what, NOTHING_PUBLISHED, reference.basis(one.in_force))
            for event, what, one in zip(events, said, ruled, strict=True)
        ]
        laps.end("result")
        for result in results:
            encode(result)
        laps.end("encode")
    return laps.seconds


def decoding(cases: Sequence[Case]) -> dict[str, float]:
    """Seconds of each part of decoding."""
    laps = Laps()
    for some in sliced(cases):
        laps.begin()
        for case in some:
            _not_json(case.value)
        laps.end("json")
        claims = [_decode_submission(case.value) for case in some]
        laps.end("typed")
        for claim in claims:
            misformed(claim.data)
            _broken_rule(claim.data)
        laps.end("forms")
        for claim in claims:
            sha256(_encode((claim.source, claim.id, claim.type, claim.data))).hexdigest()
        laps.end("digest")
    return laps.seconds


def with_history(cases: Sequence[Case], reference: Reference) -> dict[str, float]:
    """Seconds of each stage where a claim is decided with what is held of its member."""
    laps = Laps()
    for some in sliced(cases):
        laps.begin()
        events = [decode(case.value) for case in some]
        laps.end("decode")
        before = [EMPTY if case.state is None else stored.read(case.state) for case in some]
        laps.end("read")
        folded = [
            fold(held, event, DEFAULT_LIMITS.look_back_days)
            for held, event in zip(before, events, strict=True)
        ]
        laps.end("fold")
        decided = [_decide(event, one, reference) for event, one in zip(events, folded, strict=True)]
        laps.end("decide")
        for _, after in decided:
            stored.write(after)
        laps.end("write")
        for results, _ in decided:
            for result in results:
                encode(result)
        laps.end("encode")
    return laps.seconds


def keeping(cases: Sequence[Case], reference: Reference) -> dict[str, float]:
    """Seconds of what folding and deciding do for the history alone."""
    laps = Laps()
    for some in sliced(cases):
        events = [decode(case.value) for case in some]
        before = [EMPTY if case.state is None else stored.read(case.state) for case in some]
        said = [_said(rule_alone(event.data, reference)) for event in events]
        laps.begin()
        for event in events:
            pack(event.data)
        laps.end("pack")
        for event in events:
            _mark(event)
        laps.end("mark")
        for what in said:
            _marks(what)
        laps.end("marks")
        for held in before:
            events_digest(held)
        laps.end("events")
    return laps.seconds
