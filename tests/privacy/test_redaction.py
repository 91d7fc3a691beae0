"""No value shows what it holds of a claim, however it is asked: every class of the package is looked at.

A new one fails here until it is ``@redacted``, or ``SHOWN`` says why it may show its fields.
"""

from __future__ import annotations

import copy
import io
import pickle
import pprint
import reprlib
import traceback
from enum import Enum
from typing import Any

import msgspec
import pytest
import structlog
from aiokafka import ConsumerRecord
from rich.console import Console
from rich.pretty import pretty_repr

from tests.conftest import pytest_assertrepr_compare
from tests.privacy.holders import (
    PLANTED,
    SHOWN,
    bodies,
    classes,
    excuse,
    has_own_words,
    name_of,
    planted,
)
from tests.unredacted import fields
from worker.adjudication import claim, held, kept, stored
from worker.adjudication.redacted import redacted
from worker.adjudication.result import Result
from worker.replay.reading.recorded import Recorded
from worker.stream.errors import INFRASTRUCTURE, Fenced, Stop, told
from worker.stream.outgoing import Outgoing
from worker.stream.redrive.letter import Letter
from worker.stream.sealing.master import KEY_BYTES, MasterKey
from worker.stream.tracebacks import traced

CLASSES = [kind for kind in classes() if not issubclass(kind, Enum)]
REDACTED = list(bodies(CLASSES))
EXCEPTIONS = [kind for kind in CLASSES if issubclass(kind, BaseException)]


def shown(value: Any) -> dict[str, str]:
    """All the ways in which a value is put into words."""
    screen = Console(file=io.StringIO(), width=200)
    screen.print(value, [value])
    assert isinstance(screen.file, io.StringIO)
    return {
        "repr": repr(value),
        "str": str(value),
        "format": f"{value} {value!s:>50} {value!r} {value!a}",
        "percent": "%s %r" % ([value], [value]),  # noqa: UP031  as logging does
        "inside": repr([value, {"of": value}]),
        "pprint": pprint.pformat([value]),
        "reprlib": reprlib.repr([value]),
        "rich": pretty_repr([value]),
        "print of rich": screen.file.getvalue(),
    }


def assert_shows_nothing(value: Any) -> None:
    ways = {way: text for way, text in shown(value).items() if PLANTED in text}
    assert ways == {}


def test_the_walk_finds_claims_results_histories_letters_and_records() -> None:
    assert {claim.Claim, Result, held.History, kept._Claim, Outgoing, Letter, Recorded} <= set(REDACTED)


@pytest.mark.parametrize("kind", REDACTED, ids=name_of)
def test_whatever_may_hold_something_of_a_claim_shows_its_type_alone(kind: type) -> None:
    assert fields(kind), f"{name_of(kind)} has words of its own: let it show none, or say in SHOWN why it may"
    for value in (PLANTED, PLANTED.encode(), [PLANTED], {PLANTED: PLANTED}, planted(claim.BillingProvider)):
        instance = planted(kind, value)
        assert_shows_nothing(instance)
        assert repr(instance) == f"{kind.__qualname__}(redacted)"


@pytest.mark.parametrize("key", SHOWN)
def test_no_excuse_is_left_of_a_class_that_is_gone_or_redacted(key: str) -> None:
    excused = [kind for kind in CLASSES if has_own_words(kind) and excuse(kind) == key]
    assert excused
    assert not [kind for kind in excused if kind.__repr__.__qualname__ == claim.Claim.__repr__.__qualname__]


def test_all_else_shows_its_type_and_address() -> None:
    silent = [kind for kind in CLASSES if not has_own_words(kind)]
    assert silent
    assert all(PLANTED not in repr(object.__new__(kind)) for kind in silent if kind.__new__ is object.__new__)


@pytest.mark.parametrize("kind", EXCEPTIONS, ids=name_of)
def test_an_exception_is_told_without_its_text_unless_it_is_an_order_or_the_network_s(kind: Any) -> None:
    error = kind.__new__(kind, PLANTED)
    error.args = (PLANTED,)
    error.add_note(PLANTED)
    assert (PLANTED in told(error)) == issubclass(kind, (*INFRASTRUCTURE, Stop, Fenced))
    assert (PLANTED in traced(error)) == issubclass(kind, INFRASTRUCTURE)


@pytest.mark.parametrize(
    "error",
    [KeyError(PLANTED), ValueError(PLANTED), UnicodeDecodeError("utf-8", PLANTED.encode(), 0, 1, PLANTED)],
    ids=lambda error: type(error).__name__,
)
def test_what_python_raises_of_a_value_is_told_by_its_type(error: Exception) -> None:
    assert PLANTED not in told(error) + traced(error)


def test_what_decoding_raises_of_a_value_is_told_by_its_type() -> None:
    for content in (b'{"npi": 1}', b'"' + PLANTED.encode() + b'"', b'{"npi": "' + PLANTED.encode()):
        with pytest.raises(msgspec.DecodeError) as raised:
            msgspec.json.decode(content, type=claim.RenderingProvider)
        assert PLANTED not in told(raised.value) + traced(raised.value)


def test_a_traceback_with_local_variables_shows_no_field() -> None:
    def fail(local: object) -> None:
        raise ValueError

    with pytest.raises(ValueError, match=r"^$") as raised:
        fail(planted(claim.Claim))
    captured = traceback.TracebackException.from_exception(raised.value, capture_locals=True)
    rich = structlog.tracebacks.ExceptionDictTransformer(show_locals=True, use_rich=True)
    plain = structlog.tracebacks.ExceptionDictTransformer(show_locals=True, use_rich=False)
    exc_info = (type(raised.value), raised.value, raised.value.__traceback__)
    for said in ("".join(captured.format()), str(rich(exc_info)), str(plain(exc_info))):
        assert "Claim(" in said
        assert PLANTED not in said


def test_records_of_kafka_show_nothing_once_a_client_can_be_made() -> None:
    import worker.stream.connection  # noqa: F401, PLC0415  it is what this is about

    assert_shows_nothing(planted(ConsumerRecord))


def test_a_master_key_shows_its_id_alone() -> None:
    assert "S" * 8 not in " ".join(shown(MasterKey("key-1", b"S" * KEY_BYTES)).values())


@pytest.mark.parametrize("kind", REDACTED, ids=name_of)
def test_redaction_leaves_equality_copies_and_pickles_as_they_are(kind: type) -> None:
    one, same, other = planted(kind), planted(kind), planted(kind, "another")
    assert one == same
    assert one != other
    assert copy.copy(one) == one
    assert copy.deepcopy(one) == one
    assert pickle.loads(pickle.dumps(one)) == one  # noqa: S301  its own


def test_redaction_leaves_encoding_as_it_is() -> None:
    class Plain(msgspec.Struct, frozen=True):
        name: str

    @redacted
    class Hidden(msgspec.Struct, frozen=True):
        name: str

    for codec in (msgspec.json, msgspec.msgpack):
        content = codec.encode(Plain(PLANTED))
        assert codec.encode(Hidden(PLANTED)) == content
        assert codec.decode(content, type=Hidden).name == PLANTED
    assert hash(Hidden(PLANTED)) == hash(Hidden(PLANTED))


def test_a_history_is_stored_and_read_as_before() -> None:
    state = stored.write(held.History())
    assert stored.read(state) == held.EMPTY


def test_a_test_that_compares_what_is_redacted_says_what_differs() -> None:
    one, other = planted(claim.BillingProvider), planted(claim.BillingProvider, "another")
    many = 1_000
    for left, right in (
        (one, other),
        ([one] * many, [other] * many),
        ({one: one}, {other: one}),
        ({one}, None),
    ):
        told = pytest_assertrepr_compare("==", left, right)
        assert told is not None
        assert any(line.startswith("-") and PLANTED in line for line in told)
        assert any(line.startswith("+") and ("another" in line or "None" in line) for line in told)
    assert pytest_assertrepr_compare("==", 1, 2) is None
