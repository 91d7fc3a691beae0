"""A sealed value opens as what it was, where it was put, with its key, and in no other way."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest
from aiokafka import ConsumerRecord
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sealing.keys import master
from worker.adjudication.decode import MAX_VALUE_BYTES, Rejected
from worker.adjudication.stored import VERSION
from worker.settings import Settings
from worker.stream.deadletters import (
    ADDED,
    SEALED,
    dead_letter,
    opened,
    sealed_letter,
    sealed_with,
    taken_apart,
)
from worker.stream.outgoing import BATCH_BYTES, Outgoing
from worker.stream.redrive.letter import letter_of
from worker.stream.redrive.sending import redriven
from worker.stream.sealing.closed import CannotOpen
from worker.stream.sealing.envelope import (
    MARKER,
    MOST_ID_BYTES,
    OVERHEAD_BYTES,
    Damaged,
    Place,
    history_place,
    is_sealed,
    letter_place,
    parts_of,
)
from worker.stream.sealing.lane import MOST_RECORDS, Stale
from worker.stream.sealing.master import MasterKey
from worker.stream.sealing.opener import FolderOpener
from worker.stream.sealing.opening import WithoutKeys
from worker.stream.sealing.sealer import Sealer

PLACE = history_place("history", 3)
MEMBER = b"MBR-1"
STATE = bytes([VERSION]) + b"what is held of a member"
DIAGNOSIS = b"C44.311"


def opener(*names: str, most: int = 1024) -> FolderOpener:
    return FolderOpener({name: master(name) for name in names}, Path("/keys"), most)


def sealed(value: bytes = STATE, place: Place = PLACE, key: bytes | None = MEMBER, by: str = "a") -> bytes:
    return Sealer(master(by)).seal(value, place, key)


@pytest.mark.parametrize("value", [b"", b"\x00", STATE, bytes([MARKER]) * 3, os.urandom(10_000)])
@pytest.mark.parametrize("key", [MEMBER, b"", None])
def test_what_was_sealed_opens_as_it_was_and_says_by_which_key(value: bytes, key: bytes | None) -> None:
    assert opener("b", "a").open(sealed(value, key=key), PLACE, key) == ("a", value)


@given(
    value=st.binary(max_size=2000), key=st.none() | st.binary(max_size=40), topic=st.text(max_size=20),
    partition=st.integers(0, 10_000), name=st.from_regex(r"[A-Za-z0-9._-]{1,200}", fullmatch=True),
)  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_any_value_of_any_place_opens_again(
    value: bytes, key: bytes | None, topic: str, partition: int, name: str
) -> None:
    place, known = history_place(topic, partition), MasterKey(name, bytes(32))
    made = Sealer(known).seal(value, place, key)
    assert FolderOpener({name: known}, Path("/keys")).open(made, place, key) == (name, value)
    assert len(made) <= len(value) + OVERHEAD_BYTES


@pytest.mark.parametrize(
    ("place", "key"),
    [
        (letter_place("history", 3), MEMBER),
        (history_place("history2", 3), MEMBER),
        (history_place("histor", 3), b"y" + MEMBER),
        (history_place("history", 4), MEMBER),
        (history_place("history", 33), MEMBER),
        (history_place("history3", 3), MEMBER),
        (PLACE, b"MBR-2"),
        (PLACE, b"MBR-1\x00"),
        (PLACE, b""),
        (PLACE, None),
    ],
)
def test_at_another_place_or_for_another_member_it_does_not_open(place: Place, key: bytes | None) -> None:
    with pytest.raises(CannotOpen, match="does not open with its key a"):
        opener("a").open(sealed(), place, key)


def test_an_empty_key_is_told_from_none() -> None:
    with pytest.raises(CannotOpen):
        opener("a").open(sealed(key=None), PLACE, b"")


def test_places_and_keys_are_never_bound_alike() -> None:
    texts, keys = ["", "a", "aa", "1", "a1"], [None, b"", b"a", b"1", b"\xff\xff\xff\xff"]
    bindings = [
        Place(purpose, topic, partition).binding(key)
        for purpose, topic, partition, key in itertools.product(texts, texts, [0, 1, 11], keys)
    ]
    assert len(set(bindings)) == len(bindings)


def test_with_any_bit_of_any_byte_changed_it_does_not_open_and_quotes_nothing() -> None:
    one, keys = sealed(DIAGNOSIS), opener("a", "b")
    for at, bit in itertools.product(range(len(one)), range(8)):
        changed = bytearray(one)
        changed[at] ^= 1 << bit
        with pytest.raises(CannotOpen) as closed:
            keys.open(bytes(changed), PLACE, MEMBER)
        assert DIAGNOSIS.decode() not in str(closed.value)
        assert str(closed.value).isprintable()


def test_cut_off_anywhere_or_with_more_behind_it_does_not_open() -> None:
    one, keys = sealed(), opener("a")
    for changed in [*(one[:length] for length in range(len(one))), one + b"\x00"]:
        with pytest.raises(CannotOpen):
            keys.open(changed, PLACE, MEMBER)


def test_parts_of_two_values_do_not_make_a_third() -> None:
    sealer = Sealer(master("a"))
    one, other = (parts_of(sealer.seal(value, PLACE, MEMBER)) for value in (b"one", b"two"))
    assert one.head == other.head
    with pytest.raises(CannotOpen):
        opener("a").open(one.head + one.nonce + other.sealed, PLACE, MEMBER)
    stranger = parts_of(sealed())
    with pytest.raises(CannotOpen):
        opener("a").open(stranger.head + one.nonce + one.sealed, PLACE, MEMBER)


def test_another_key_of_the_same_name_does_not_open_it() -> None:
    with pytest.raises(CannotOpen, match="or the key's file is not the one that sealed it"):
        FolderOpener({"a": MasterKey("a", bytes(32))}, Path("/keys")).open(sealed(), PLACE, MEMBER)


def test_a_key_that_is_not_there_is_named_and_so_is_where_to_put_it() -> None:
    with pytest.raises(CannotOpen, match=r"key b, and /keys \(MMS_SEALING_KEYS_DIR\) does not have that key"):
        opener("a").open(sealed(by="b"), PLACE, MEMBER)
    with pytest.raises(CannotOpen, match="key b, and MMS_SEALING_KEYS_DIR is not set"):
        WithoutKeys().open(sealed(by="b"), PLACE, MEMBER)
    with pytest.raises(CannotOpen, match="it is not whole"):
        WithoutKeys().open(sealed()[:20], PLACE, MEMBER)


@given(st.binary(max_size=300).map(lambda rest: bytes([MARKER, 1]) + rest) | st.binary(max_size=300))
@settings(max_examples=500, deadline=None)
def test_bytes_that_nobody_sealed_never_open(value: bytes) -> None:
    for one in (opener("a"), WithoutKeys()):
        with pytest.raises(CannotOpen):
            one.open(value, PLACE, MEMBER)


def test_no_stored_history_begins_as_a_sealed_one() -> None:
    assert VERSION < MARKER
    assert is_sealed(sealed())
    assert not is_sealed(STATE)
    assert not is_sealed(b"")


def test_the_longest_id_fits() -> None:
    name = "k" * MOST_ID_BYTES
    one = Sealer(MasterKey(name, bytes(32))).seal(STATE, PLACE, MEMBER)
    assert parts_of(one).key_id == name
    assert len(one) == len(STATE) + OVERHEAD_BYTES


def test_parts_are_those_of_a_whole_value_alone() -> None:
    with pytest.raises(Damaged):
        parts_of(STATE)


def test_no_nonce_is_used_twice_with_a_data_key() -> None:
    sealer = Sealer(master("a"), most=100)
    made = [parts_of(sealer.seal(b"", PLACE, MEMBER)) for _ in range(350)]
    assert len({(one.wrapped, one.nonce) for one in made}) == 350
    assert [len(list(group)) for _, group in itertools.groupby(made, lambda one: one.wrapped)] == [
        100, 100, 100, 50,
    ]  # fmt: skip


def test_no_two_sealers_have_the_same_data_key() -> None:
    assert len({parts_of(sealed()).wrapped for _ in range(200)}) == 200


def test_the_same_value_is_never_sealed_to_the_same_bytes() -> None:
    sealer = Sealer(master("a"))
    assert len({parts_of(sealer.seal(STATE, PLACE, MEMBER)).sealed for _ in range(200)}) == 200


class Counting(MasterKey):
    """Counts how often it unwraps."""

    def __init__(self) -> None:
        super().__init__("a", bytes(32))
        self.times = 0

    def unwrap(self, wrapped: bytes) -> bytes | None:
        self.times += 1
        return super().unwrap(wrapped)


def test_a_data_key_is_unwrapped_once_while_it_is_held_and_not_all_are() -> None:
    key = Counting()
    one = FolderOpener({"a": key}, Path("/keys"), most=2)
    values = [Sealer(key).seal(STATE, PLACE, MEMBER) for _ in range(3)]
    for value in (values[0], values[0], values[1], values[0]):
        one.open(value, PLACE, MEMBER)
    assert key.times == 2
    one.open(values[2], PLACE, MEMBER)  # the one that was used least lately is dropped
    one.open(values[1], PLACE, MEMBER)
    assert key.times == 4


def test_the_ids_of_opened_values_are_one_object_however_many_those_are() -> None:
    one = opener("2026-11")
    names = [one.open(sealed(by="2026-11"), PLACE, MEMBER)[0] for _ in range(3)]
    assert all(name is names[0] for name in names)


def test_a_key_shows_its_id_and_nothing_else() -> None:
    assert repr(master("a")) == str(master("a")) == "MasterKey('a')"


class TestDeadLetter:
    PLACE = letter_place("dlq", 0)

    def record(self, value: bytes | None, key: bytes | None = MEMBER) -> ConsumerRecord:
        headers = (("ce_id", b"1"), (SEALED, b"theirs"))
        return ConsumerRecord("in", 0, 5, 1_700_000_000_000, 0, key, value, None, 0, 0, headers)

    def letter(self, value: bytes | None, key: bytes | None = MEMBER) -> Outgoing:
        made = dead_letter(self.record(value, key), Rejected("contract", "$", "what is wrong"))
        return sealed_letter(made, Sealer(master("a")), self.PLACE)

    def read(self, letter: Outgoing, partition: int = 0) -> ConsumerRecord:
        return ConsumerRecord(
            "dlq", partition, 7, letter.timestamp, 0, letter.key, letter.value, None, 0, 0,
            tuple(letter.headers),
        )  # fmt: skip

    @pytest.mark.parametrize("value", [b"", b'{"code": "C44.311"}', b"\xff\x01"])
    @pytest.mark.parametrize("key", [MEMBER, b"", None])
    def test_goes_back_as_it_came_in(self, value: bytes, key: bytes | None) -> None:
        letter = self.letter(value, key)
        assert letter.headers[-1] == (SEALED, b"a")
        back = redriven(opened(self.read(letter), opener("a")), 1)
        assert (back.key, back.value) == (key, value)
        assert list(back.headers)[:-1] == list(self.record(value).headers)

    def test_tells_why_it_is_there_without_its_key(self) -> None:
        told = letter_of(self.read(self.letter(b"x")))
        assert told.why is not None
        assert (told.why.reason, told.why.offset, told.sealed_with) == ("contract", 5, "a")

    def test_without_a_value_has_none_to_seal(self) -> None:
        letter = self.letter(None)
        assert letter.value is None
        assert letter.headers[-1][0] == ADDED[-1]
        assert opened(self.read(letter), WithoutKeys()).value is None

    def test_that_was_not_sealed_needs_no_key(self) -> None:
        plain = self.read(dead_letter(self.record(b"x"), Rejected("contract", "$", "what is wrong")))
        assert sealed_with(plain.headers) is None
        assert opened(plain, WithoutKeys()) is plain

    def test_opens_on_its_partition_alone(self) -> None:
        with pytest.raises(CannotOpen):
            opened(self.read(self.letter(b"x"), partition=1), opener("a"))

    def test_whose_value_was_taken_away_does_not_open(self) -> None:
        with pytest.raises(CannotOpen, match="is marked as sealed and is null"):
            opened(self.read(self.letter(b"x")._replace(value=None)), opener("a"))

    def test_headers_of_that_name_that_came_with_the_record_are_not_the_workers(self) -> None:
        own = self.record(b"x").headers
        assert taken_apart(self.letter(b"x").headers) == (list(own), list(self.texts()))
        assert taken_apart(own) is None
        assert letter_of(self.read(self.letter(b"x")._replace(headers=own))).sealed_with is None

    def texts(self) -> tuple[str, ...]:
        return "Rejected", "what is wrong", "in", "0", "5", "contract", "$"

    def test_of_what_a_bomb_unpacks_to_is_no_larger_than_its_topic_takes(self) -> None:
        bomb = bytes(64 * MAX_VALUE_BYTES)
        letter = self.letter(bomb)
        assert len(letter.value or b"") < MAX_VALUE_BYTES
        assert opened(self.read(letter), opener("a")).value == bomb


def test_a_value_as_large_as_an_event_may_be_is_not_compressed_and_a_larger_one_is() -> None:
    assert len(sealed(bytes(MAX_VALUE_BYTES))) > MAX_VALUE_BYTES
    assert len(sealed(bytes(MAX_VALUE_BYTES + 1))) < MAX_VALUE_BYTES // 100


class TestStale:
    def stale(self, count: int, size: int = 10) -> Stale:
        return Stale({str(number).encode(): bytes(size) for number in range(count)})

    def test_is_over_when_each_was_written_once(self) -> None:
        stale, written = self.stale(2 * MOST_RECORDS + 1), list[bytes | None]()
        while stale:
            some = stale.next(1, 7)
            stale.written(some)
            written += [record.key for record in some]
        assert len(written) == len(set(written)) == stale.members

    def test_asks_again_for_what_was_not_committed(self) -> None:
        stale = self.stale(3)
        assert stale.next(1, 7) == stale.next(1, 7)

    def test_leaves_out_whom_a_batch_has_changed(self) -> None:
        stale = self.stale(2)
        stale.written([Outgoing(b"0", b"new", 1, ()), Outgoing(None, None, 1, ())])
        assert [record.key for record in stale.next(1, 7)] == [b"1"]

    @pytest.mark.parametrize(("size", "most"), [(BATCH_BYTES // 2, 2), (BATCH_BYTES // 2 + 1, 1)])
    def test_takes_no_more_than_a_batch_holds(self, size: int, most: int) -> None:
        assert len(self.stale(5, size).next(1, 7)) == most

    def test_takes_one_however_large(self) -> None:
        assert len(self.stale(2, 2 * BATCH_BYTES).next(1, 7)) == 1


def test_the_changelog_takes_the_largest_history_sealed() -> None:
    defaults = Settings()
    assert defaults.history_max_bytes + OVERHEAD_BYTES < 2 * defaults.history_max_bytes
