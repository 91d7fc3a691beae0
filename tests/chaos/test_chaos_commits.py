"""What coordinators write down of a group's offsets is read as they mean it."""

from __future__ import annotations

import struct

import pytest

from tests.chaos.commits import NONE, Commit, commit_of


def key(version: int, group: str, topic: str, partition: int) -> bytes:
    texts = b"".join(struct.pack(">h", len(text.encode())) + text.encode() for text in (group, topic))
    return struct.pack(">h", version) + texts + struct.pack(">i", partition)


def value(version: int, offset: int) -> bytes:
    return struct.pack(">hq", version, offset) + b"what else there is"


@pytest.mark.parametrize("key_version", [0, 1])
@pytest.mark.parametrize("value_version", range(5))
def test_an_offset_is_told_in_every_version(key_version: int, value_version: int) -> None:
    told = commit_of(key(key_version, "group", "tópic", 7), value(value_version, 1 << 40))
    assert told == Commit("group", "tópic", 7, 1 << 40)


def test_a_record_without_a_value_says_that_the_offset_is_gone() -> None:
    assert commit_of(key(1, "group", "topic", 7), None) == Commit("group", "topic", 7, NONE)
    assert NONE < 0


@pytest.mark.parametrize("version", [2, 3, 16])
def test_records_of_members_are_no_offsets(version: int) -> None:
    assert commit_of(struct.pack(">hh", version, 1) + b"g", b"\0\0") is None


def test_a_version_that_nobody_knows_is_not_guessed_at() -> None:
    with pytest.raises(ValueError, match="version 5"):
        commit_of(key(1, "group", "topic", 0), value(5, 1))
