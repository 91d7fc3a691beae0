"""Workers that seal: they decide as others do, and nobody reads in their topics what claims say."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import ConsumerRecord

from tests.sealing.keys import add_key, folder_of, master
from tests.stream.letterkit import Record, dlq, letters, redrive, redriven, set_aside, write
from tests.stream.oracle import assert_exactly_once
from tests.stream.streamkit import PARTITIONS, Input, Stream, placed, until
from worker.adjudication.stored import VERSION
from worker.devkit.generator import histories
from worker.devkit.kafka import KafkaBroker
from worker.devkit.process import run
from worker.stream.deadletters import sealed_letter
from worker.stream.errors import Refused
from worker.stream.outgoing import Outgoing
from worker.stream.restore import Restored, restore
from worker.stream.sealing.envelope import history_place, is_sealed, letter_place
from worker.stream.sealing.sealer import Sealer

COMMAND_S = 60.0
STOP_S = 10.0
ANEW = "histories sealed anew"
BLOCKS_OF_LOAD, RATE_S = 20, 0.1


@pytest.fixture
async def new_stream(kafka: KafkaBroker, prefix: str, tmp_path: Path) -> AsyncIterator[Callable[..., Stream]]:
    """Streams on topics of this test's own, with more settings; whoever takes two shares the topics."""
    with ExitStack() as ending:

        def made(**settings: Any) -> Stream:
            return Stream(kafka.bootstrap, prefix, tmp_path, ending, session_timeout_s=6, **settings)

        await made().create_topics()
        yield made


def stories(count: int, members: int, seed: int = 1) -> list[Input]:
    """Events of members who have several, with records between that cannot be decided."""
    records = []
    for number, event in enumerate(histories(count, seed, members)):
        key = event["data"]["member_id"].encode()
        records.append(Input(key, orjson.dumps(event)))
        if number % 10 == 0:
            records.append(Input(key, orjson.dumps(event)[:-1], headers=[("trace", b"1")]))
    return records


async def restored(stream: Stream) -> list[Restored]:
    return [await restore(number, stream.settings) for number in range(PARTITIONS)]


async def sealed_by(stream: Stream) -> Counter[str]:
    """Histories by the key that they are sealed with."""
    found = await restored(stream)
    keys = Counter(key for one in found for key in one.sealed_with.values())
    plain = sum(len(one.histories) - len(one.sealed_with) for one in found)
    return keys + Counter({"none": plain})


def said_in(record: Input) -> set[bytes]:
    """What a claim says of its member that nobody is to read in a topic's values."""
    event = orjson.loads(record.value or b"")["data"]
    diagnoses = [diagnosis for diagnosis in event.get("diagnoses", []) if isinstance(diagnosis, str)]
    return {name.encode() for name in (event["member_id"], event["claim_id"], *diagnoses)}


async def test_what_is_sealed_is_decided_as_ever_and_nothing_of_a_claim_is_readable(
    new_stream: Callable[..., Stream], tmp_path: Path
) -> None:
    stream = new_stream(sealing_keys_dir=folder_of(tmp_path, "a"), sealing_key="a", sealing_required=True)
    records = stories(1_500, 200)
    await stream.publish(records[:800])
    first = stream.worker()
    await stream.drained(800)
    os.kill(first.pid, signal.SIGTERM)
    assert await first.ended() == 0
    second = stream.worker()
    await stream.publish(records[800:])
    await stream.drained(len(records))
    await assert_exactly_once(stream, records)

    letters, changes = await stream.dead_letters(), await stream.read(stream.settings.changelog_topic)
    values = [record.value or b"" for some in (*letters.values(), *changes.values()) for record in some]
    assert len(values) > 400
    assert all(map(is_sealed, values))
    kept = b"\n".join(values)
    words = {word for record in records if (record.value or b"").endswith(b"}") for word in words_of(record)}
    assert len(words) > 200
    assert {word for word in words if word in kept} == set()
    assert {header for some in letters.values() for record in some for header in record.headers[-1:]} == {
        ("mms.dlq.sealed", b"a")
    }
    told = second.said("histories restored")
    assert len(told) == PARTITIONS
    assert {(*line["sealed_with"], line["not_sealed"]) for line in told} == {("a", 0)}
    assert sum(line["sealed_with"]["a"] for line in told) == sum(line["members"] for line in told) > 100
    assert not first.said(ANEW) + second.said(ANEW)


def words_of(record: Input) -> set[bytes]:
    try:
        return said_in(record)
    except orjson.JSONDecodeError:
        return set()


async def test_plain_histories_are_sealed_as_soon_as_there_is_a_key_a_killed_worker_between(
    new_stream: Callable[..., Stream], tmp_path: Path
) -> None:
    plain, keys = new_stream(), folder_of(tmp_path, "a")
    records = stories(6_000, 5_000, seed=2)
    await plain.publish(records[:-50])
    first = plain.worker()
    await plain.drained(len(records) - 50)
    os.kill(first.pid, signal.SIGTERM)
    assert await first.ended() == 0
    required = new_stream(sealing_keys_dir=keys, sealing_key="a", sealing_required=True)
    with pytest.raises(Refused, match="is not sealed, and MMS_SEALING_REQUIRED asks for that"):
        await restore(0, required.settings)

    sealing = new_stream(sealing_keys_dir=keys, sealing_key="a")
    before = await sealed_by(sealing)
    assert before.keys() == {"none"}
    second = sealing.worker()
    await until(lambda: second.said("lane open"), "a lane to be open")
    second.kill()
    third = sealing.worker()
    await sealing.publish(records[-50:])
    await sealing.drained(len(records))

    async def is_done() -> bool:
        return (await sealed_by(sealing)).keys() == {"a"}

    await until(is_done, "all histories to be sealed")
    await assert_exactly_once(required, records)
    told = third.said(ANEW)
    assert {line["key_id"] for line in told} == {"a"}
    assert await required.committed() >= len(records)


async def test_a_worker_that_seals_keeps_its_memory_where_its_partition_comes_straight_back(
    new_stream: Callable[..., Stream], tmp_path: Path
) -> None:
    stream = new_stream(sealing_keys_dir=folder_of(tmp_path, "a"), sealing_key="a")
    records = stories(200, 50)
    await stream.publish(records)
    worker = stream.worker()
    await stream.drained(len(records))
    await stream.worker().ready()
    await until(lambda: worker.said("histories kept"), "a partition to come back")


class Load:
    """Records that are sent one block after the other while something else is done."""

    def __init__(self, stream: Stream, records: list[Input]) -> None:
        self._stream = stream
        self._records = records
        self._enough = asyncio.Event()
        self.sent = 0

    @asynccontextmanager
    async def lasting(self) -> AsyncIterator[None]:
        """Send until what is done meanwhile is done."""
        sending = asyncio.ensure_future(self._send())
        try:
            yield
        finally:
            self._enough.set()
            await sending

    async def _send(self) -> None:
        while not self._enough.is_set():
            await self._stream.publish(self._records[self.sent : self.sent + BLOCKS_OF_LOAD])
            self.sent += BLOCKS_OF_LOAD
            await asyncio.sleep(RATE_S)


async def test_a_key_is_replaced_by_another_while_workers_are_one_after_the_other(
    new_stream: Callable[..., Stream], tmp_path: Path
) -> None:
    keys = folder_of(tmp_path, "a")
    old, new = (new_stream(sealing_keys_dir=keys, sealing_key=name, sealing_required=True) for name in "ab")
    past, coming = stories(3_000, 2_000, seed=3), stories(12_000, 3_000, seed=4)
    workers = [old.worker(), old.worker()]
    await old.publish(past)
    await old.drained(len(past))
    assert (await sealed_by(old)).keys() == {"a"}

    load = Load(old, coming)
    async with load.lasting():
        add_key(keys, "b")  # everywhere, before anybody seals with it
        for place, worker in enumerate(list(workers)):
            assert await asyncio.to_thread(worker.stop, STOP_S)
            assert worker.exit_code == 0
            workers[place] = new.worker()
            await workers[place].ready()

        async def is_done() -> bool:
            return (await sealed_by(new)).keys() == {"b"}

        await until(is_done, "all histories to be sealed with the new key")
    assert load.sent + BLOCKS_OF_LOAD < len(coming)
    records = past + coming[: load.sent]
    await new.drained(len(records))
    assert sum(line["members"] for worker in workers for line in worker.said(ANEW)) > 500

    (keys / "a").rename(tmp_path / "away")
    for worker in workers:
        assert await asyncio.to_thread(worker.stop, STOP_S)
    fresh = new.worker()
    records += coming[load.sent : load.sent + BLOCKS_OF_LOAD]
    await new.publish(records[-BLOCKS_OF_LOAD:])
    await new.drained(len(records))
    await assert_exactly_once(new, records)
    assert {(*line["sealed_with"], line["not_sealed"]) for line in fresh.said("histories restored")} == {
        ("b", 0)
    }
    assert not fresh.said(ANEW)
    letters = [letter for some in (await new.dead_letters()).values() for letter in some]
    assert {letter.headers[-1][1] for letter in letters} == {b"a", b"b"}


class TestRefusals:
    """A worker ends with exit code 2, and says in one line where, and with which key."""

    STATE = bytes([VERSION]) + b"C44.311"

    async def put(self, stream: Stream, value: bytes, key: bytes = b"MBR-1") -> None:
        records = [Outgoing(b"other", b"\x00", 1, ()), Outgoing(key, value, 1, ())]
        await write(stream, stream.settings.changelog_topic, 2, records)
        await write(stream, stream.settings.changelog_topic, 2, [Outgoing(b"other", None, 1, ())])

    def sealed(self, stream: Stream, partition: int = 2, key: bytes = b"MBR-1", by: str = "a") -> bytes:
        place = history_place(stream.settings.changelog_topic, partition)
        return Sealer(master(by)).seal(self.STATE, place, key)

    async def test_a_moved_changed_or_plain_history_is_refused_where_it_lies(
        self, new_stream: Callable[..., Stream], tmp_path: Path
    ) -> None:
        stream = new_stream(sealing_keys_dir=folder_of(tmp_path, "a"), sealing_key="a", sealing_required=True)
        topic = stream.settings.changelog_topic
        moved = self.sealed(stream)
        for value, key, told in [
            (moved, b"MBR-2", "does not open with its key a: it was changed, or comes from another record"),
            (self.sealed(stream, 1), b"MBR-1", "does not open with its key a"),
            (moved[:-1] + bytes([moved[-1] ^ 1]), b"MBR-1", "does not open with its key a"),
            (moved[:9], b"MBR-1", "is marked as sealed and cannot be opened: it is not whole"),
            (self.sealed(stream, by="z"), b"MBR-1", f"is sealed with key z, and {tmp_path}/keys"),
            (self.STATE, b"MBR-1", "is not sealed, and MMS_SEALING_REQUIRED asks for that"),
        ]:
            await self.put(stream, value, key)
            with pytest.raises(Refused) as refused:
                await restore(2, stream.settings)
            said = str(refused.value)
            assert said.startswith(f"partition 2 of {topic}: the history at offset ")
            assert told in said
            assert "MBR" not in said
            assert "C44" not in said
            await write(stream, topic, 2, [Outgoing(key, None, 1, ())])
        assert (await restore(2, stream.settings)).histories == {}
        await self.put(stream, moved)
        assert (await restore(2, stream.settings)).histories == {b"MBR-1": self.STATE}

    async def test_a_worker_that_has_not_the_key_ends_with_two(
        self, new_stream: Callable[..., Stream], tmp_path: Path
    ) -> None:
        folder = folder_of(tmp_path, "b")
        stream = new_stream(sealing_keys_dir=folder, sealing_key="b")
        await self.put(stream, self.sealed(stream))
        worker = stream.worker()
        assert await worker.ended() == 2
        assert (
            f"partition 2 of {stream.settings.changelog_topic}: the history at offset 1 is sealed with key "
            f"a, and {folder} (MMS_SEALING_KEYS_DIR) does not have that key (1 such histories there); put "
            "the key's file there"
        ) in worker.text
        assert "MBR" not in worker.text

    async def test_a_worker_whose_key_is_no_key_ends_with_two(
        self, new_stream: Callable[..., Stream], tmp_path: Path
    ) -> None:
        folder = folder_of(tmp_path)
        (folder / "a").write_text("not a key")
        worker = new_stream(sealing_keys_dir=folder, sealing_key="a").worker()
        assert await worker.ended() == 2
        assert f"the sealing key {folder}/a must be 32 bytes in base64, on one line" in worker.text
        assert "not a key" not in worker.text


class TestLetters:
    """Commands that look at sealed dead letters, with and without the keys."""

    RECORDS = (
        Record(b"MBR-1", b'{"code": "C44.311"', [("trace", b"1")], "undecodable"),
        Record(None, b"\xff\x01\x02", [], "undecodable"),
        Record(b"MBR-3", None, [], "unknown_claim"),
        Record(b"", b"", [("trace", None)], "unknown_claim"),
    )

    async def test_are_listed_without_a_key_and_shown_and_sent_back_with_it(
        self, new_stream: Callable[..., Stream], tmp_path: Path
    ) -> None:
        keys = folder_of(tmp_path, "a", "b")
        plain, with_b = new_stream(), new_stream(sealing_keys_dir=keys)
        await set_aside(plain, self.RECORDS[:1])
        await sealed_aside(plain, self.RECORDS, "b")

        listed = rows(await dlq(plain, "list", "--json"))
        assert [row["reason"] for row in listed] == [
            "undecodable", *(record.reason for record in self.RECORDS),
        ]  # fmt: skip
        assert [row["sealed_with"] for row in listed] == [None, "b", "b", None, "b"]
        page = await dlq(plain, "show", "0", str(listed[1]["offset"]))
        assert page.returncode == 0
        assert "sealed     with key b" in page.stdout
        assert "C44" not in page.stdout

        closed = await dlq(plain, "show", "0", str(listed[1]["offset"]), "--with-phi")
        assert closed.returncode == 2
        (line,) = closed.stdout.splitlines()
        assert "is sealed with key b, and MMS_SEALING_KEYS_DIR is not set; set it to a folder" in line
        shown = await dlq(with_b, "show", "0", str(listed[1]["offset"]), "--with-phi", "--json")
        assert orjson.loads(shown.stdout)["value"] == {"text": '{"code": "C44.311"'}

        for arguments in ([], ["--execute"]):
            refused = await dlq(plain, "redrive", *arguments)
            assert refused.returncode == 2
            assert "is sealed with key b, and MMS_SEALING_KEYS_DIR is not set" in refused.stdout
        assert await redriven(plain) == {}

        (keys / "b").rename(tmp_path / "b")
        without_b = await redrive(with_b)
        assert without_b.returncode == 1
        assert without_b.stdout.count("does not have that key; put the key's file there") == 3
        assert sum(map(len, (await redriven(plain)).values())) == 2
        (tmp_path / "b").rename(keys / "b")
        assert (await redrive(with_b)).returncode == 0
        back = [as_sent(record) for record in (await redriven(plain))[0]]
        assert sorted(back, key=repr) == sorted(
            [(r.key, r.value, tuple(r.headers)) for r in (self.RECORDS[0], *self.RECORDS)], key=repr
        )

    async def test_of_which_one_was_changed_the_others_are_sent_back(
        self, new_stream: Callable[..., Stream], tmp_path: Path
    ) -> None:
        stream = new_stream(sealing_keys_dir=folder_of(tmp_path, "a"), sealing_key="a")
        await sealed_aside(stream, self.RECORDS, "a", key=b"moved")
        done = await redrive(stream)
        assert done.returncode == 1
        assert "does not open with its key a: it was changed" in done.stdout
        assert "C44" not in done.stdout
        assert [as_sent(record)[:2] for record in (await redriven(stream))[0]] == [
            (record.key, record.value) for record in self.RECORDS[1:]
        ]


def rows(done: Any) -> list[dict[str, Any]]:
    assert done.returncode == 0, done.stdout
    return [orjson.loads(line) for line in done.stdout.splitlines()]


def as_sent(record: ConsumerRecord) -> tuple[bytes | None, bytes | None, tuple[Any, ...]]:
    """Key, value and headers of a record that was redriven, without the header that says so."""
    assert record.headers[-1][0] == "mms.redrive"
    return record.key, record.value, tuple(record.headers[:-1])


async def sealed_aside(stream: Stream, records: Iterable[Record], by: str, key: bytes | None = None) -> None:
    """Put sealed dead letters of the records on partition 0; the first one then gets another ``key``."""
    topic, sealer = stream.settings.dead_letter_topic, Sealer(master(by))
    made = [sealed_letter(one, sealer, letter_place(topic, 0)) for one in letters(records, stream, 0)]
    if key is not None:
        made[0] = made[0]._replace(key=key)
    await write(stream, topic, 0, made)


async def test_a_history_is_shown_to_who_has_the_key(
    new_stream: Callable[..., Stream], tmp_path: Path
) -> None:
    stream = new_stream(sealing_keys_dir=folder_of(tmp_path, "a"), sealing_key="a")
    record = stories(1, 1)[0]
    await stream.publish([record])
    stream.worker()
    await stream.drained(1)
    member = (record.key or b"").decode()

    def show(stream: Stream, *arguments: str) -> Any:
        return run(stream.command("history", "show", member, *arguments), COMMAND_S)

    shown = await asyncio.to_thread(show, stream, "--json")
    assert shown.returncode == 0
    assert orjson.loads(shown.stdout)["sealed_with"] == "a"
    assert f"partition {next(iter(placed([record])))} of" in (await asyncio.to_thread(show, stream)).stdout
    closed = await asyncio.to_thread(show, new_stream())
    assert closed.returncode == 2
    assert "is sealed with key a, and MMS_SEALING_KEYS_DIR is not set" in closed.stdout
