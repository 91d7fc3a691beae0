"""Dead letters go back as they came in, each once, however a redrive ends."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import orjson
import pytest
from aiokafka import ConsumerRecord
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.consumer import fetcher

from tests.adjudication.historykit import claim, void
from tests.stream.letterkit import (
    LAUNCHER,
    SENT_MS,
    Record,
    dlq,
    letters,
    noted,
    numbered,
    redrive,
    redriven,
    set_aside,
    write,
)
from tests.stream.oracle import decided
from tests.stream.streamkit import Input, Stream, Worker, partition, until
from worker.adjudication.claim import SUBMITTED, VOIDED
from worker.adjudication.decode import MAX_VALUE_BYTES
from worker.commands.dlq import FENCED
from worker.settings import Settings
from worker.stream.deadletters import ADDED, taken_apart
from worker.stream.errors import Refused
from worker.stream.outgoing import Outgoing
from worker.stream.records import RawName, Records
from worker.stream.redrive.ledger import Entry, Ledger, entry_of, ledger_spec, ledger_topic
from worker.stream.redrive.letter import Letter, letter_of
from worker.stream.redrive.sending import MOST_BYTES, MOST_RECORDS, REDRIVE
from worker.stream.topics import partition_counts

NOISE = random.Random(11)  # noqa: S311  nothing is guarded by it
KEY = b"MBR-1"
LARGE = Record(KEY, NOISE.randbytes(2 * MAX_VALUE_BYTES), reason="too_large")

ODD = {
    "null key": Record(None, b"value"),
    "null value": Record(KEY, None),
    "null key and value": Record(None, None),
    "empty key and value": Record(b"", b""),
    "bytes that are no text": Record(b"\xff\x00", NOISE.randbytes(200)),
    "headers, twice the same name among them": Record(KEY, b"v", [("a", b"1"), ("a", b"2"), ("", b"")]),
    "a null header": Record(KEY, b"v", [("ce_id", None), ("traceparent", b"00-1")]),
    "a header's name that is not UTF-8": Record(KEY, b"v", [(RawName("\udcff\udcfeNAME"), b"1"), ("b", b"")]),
    "a producer's headers of our names": Record(
        KEY, b"v", [(ADDED[0], b"theirs"), ("mms.dlq.reason", b"theirs"), (REDRIVE, b"theirs")]
    ),
    "all of our names, as of a dead letter copied to the input": Record(
        KEY, b"v", [(name, b"0") for name in ADDED]
    ),
    "a value at the size limit that does not compress": Record(KEY, NOISE.randbytes(MAX_VALUE_BYTES)),
}  # fmt: skip


def headers(record: ConsumerRecord) -> list[tuple[bytes, bytes | None]]:
    return [(name.encode(), value) for name, value in record.headers]


def values(records: Sequence[ConsumerRecord]) -> list[bytes | None]:
    return [record.value for record in records]


async def test_a_record_comes_back_byte_for_byte_with_one_header_more(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetcher, "MemoryRecords", Records)  # or this test could not read every name
    await set_aside(stream, list(ODD.values()), 2)
    done = await redrive(stream)
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith(f"{len(ODD)} dead letters sent to {stream.settings.input_topic}, ")
    ((place, back),) = (await redriven(stream)).items()
    assert place == 2
    for offset, ((name, record), sent) in enumerate(zip(ODD.items(), back, strict=True)):
        assert (sent.key, sent.value) == (record.key, record.value), name
        origin = f"{stream.settings.dead_letter_topic}/2/{offset}".encode()
        expected = [(header.encode(), value) for header, value in record.headers]
        assert headers(sent) == [*expected, (REDRIVE.encode(), origin)], name


async def test_each_partitions_letters_come_back_to_it_in_their_order_at_the_time_of_the_redrive(
    stream: Stream,
) -> None:
    """More of them than one transaction takes, by number on one partition and by size on another."""
    many = numbered(2 * MOST_RECORDS + 1)
    large = [Record(KEY, NOISE.randbytes(MOST_BYTES // 5)) for _ in range(11)]
    await set_aside(stream, many, 0)
    for some in (large[:5], large[5:]):
        await set_aside(stream, some, 3)
    done = await redrive(stream)
    assert done.returncode == 0, done.stdout
    back = await redriven(stream)
    assert values(back[0]) == [record.value for record in many]
    assert values(back[3]) == [record.value for record in large]
    assert set(back) == {0, 3}
    assert min(record.timestamp for record in back[0]) > SENT_MS
    # Between the transactions, and behind the last, lies a marker each.
    assert back[0][-1].offset == len(many) - 1 + 2
    assert back[3][-1].offset == len(large) - 1 + 2


async def test_a_dry_run_says_what_would_be_sent_and_writes_nothing(stream: Stream) -> None:
    await set_aside(stream, [*numbered(3), Record(KEY, b"v", reason="contract")], 1)
    done = await dlq(stream, "redrive")
    assert done.returncode == 0
    said = done.stdout.splitlines()
    assert said[0].startswith(f"4 dead letters would be sent to {stream.settings.input_topic}, ")
    assert [line.split() for line in said[2:4]] == [["1", "1", "contract"], ["1", "3", "unknown_claim"]]
    assert said[-1] == "Nothing was sent: this was a dry run. The same command with --execute sends them."
    assert await redriven(stream) == {}
    async with stream.administration() as client:
        assert ledger_topic(stream.settings) not in await partition_counts(client)


async def test_a_letter_that_was_redriven_is_not_sent_again_unless_that_is_asked_for(stream: Stream) -> None:
    records = numbered(5)
    await set_aside(stream, records)
    assert (await redrive(stream, "--partition", "0", "--offset", "1", "--offset", "3")).returncode == 0
    done = await redrive(stream)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (
        0,
        "redriven before and left: 2; --again sends them once more",
    )
    expected = [records[number].value for number in (1, 3, 0, 2, 4)]
    assert values((await redriven(stream))[0]) == expected
    assert (await dlq(stream, "redrive")).stdout.startswith("0 dead letters would be sent")

    assert (await redrive(stream, "--again", "--partition", "0", "--from-offset", "4")).returncode == 0
    assert values((await redriven(stream))[0]) == [*expected, records[4].value]
    assert (await noted(stream))[0] == [1, 3, 0, 2, 4, 4]


async def test_what_cannot_go_back_is_left_and_told_and_the_rest_is_sent(stream: Stream) -> None:
    settings = stream.settings
    good, *_ = made = letters(numbered(1), stream, 0)
    made += letters(numbered(1, "of another partition"), stream, 1)
    made.append(Outgoing(KEY, b"foreign", SENT_MS, [("a", b"1")]))
    made.append(good._replace(headers=[*good.headers, ("behind", b"ours")]))
    elsewhere = [(name, b"another" if name.endswith("topic") else value) for name, value in good.headers]
    made.append(good._replace(headers=elsewhere))
    made.append(good._replace(value=b"last"))
    await write(stream, settings.dead_letter_topic, 0, made)
    for execute in ([], ["--execute"]):
        done = await dlq(stream, "redrive", *execute)
        assert done.returncode == 1
        foreign = "it is no dead letter of this worker: the error headers are not its last ones"
        assert [line for line in done.stdout.splitlines() if line.startswith("left")] == [
            "left: partition 0 offset 1: its headers say that it came from partition 1",
            f"left: partition 0 offset 2: {foreign}",
            f"left: partition 0 offset 3: {foreign}",
            f"left: partition 0 offset 4: it did not come from {settings.input_topic} (MMS_INPUT_TOPIC)",
        ]
    assert values((await redriven(stream))[0]) == [b"record 0", b"last"]


async def test_records_that_the_input_does_not_take_are_left_and_told_and_the_rest_is_sent_in_order(
    stream: Stream,
) -> None:
    await set_aside(stream, [*numbered(2), LARGE, *numbered(1, "between"), LARGE, *numbered(1, "behind")])
    await set_aside(stream, numbered(1, "elsewhere"), 3)
    for sent in (5, 0):
        done = await redrive(stream)
        assert done.returncode == 1
        first, *_ = said = done.stdout.splitlines()
        assert first.startswith(f"{sent} dead letters sent")
        left = [line for line in said if line.startswith("left")]
        for offset, line in zip((2, 4), left, strict=True):
            topic = stream.settings.input_topic
            assert line.startswith(f"left: partition 0 offset {offset}: topic {topic} does not take its re")
            assert f"raise max.message.bytes of {topic}" in line
    back = await redriven(stream)
    assert values(back[0]) == [b"record 0", b"record 1", b"between 0", b"behind 0"]
    assert values(back[3]) == [b"elsewhere 0"]
    assert (await noted(stream))[0] == [0, 1, 3, 5]


async def test_records_that_are_too_large_together_go_alone(stream: Stream) -> None:
    """Where the topic takes smaller batches than a redrive sends; --again does not repeat what it sent."""
    records = [Record(KEY, NOISE.randbytes(MAX_VALUE_BYTES // 8)) for _ in range(4)]
    await set_aside(stream, records)
    async with stream.administration() as client:
        size = {"max.message.bytes": str(MAX_VALUE_BYTES // 4)}
        await client.alter_configs(
            [ConfigResource(ConfigResourceType.TOPIC, stream.settings.input_topic, size)]
        )
    done = await redrive(stream, "--again")
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith("4 dead letters sent")
    assert values((await redriven(stream))[0]) == [record.value for record in records]


def halting(stream: Stream, how: str, moment: str, number: int) -> Worker:
    """A redrive of a few letters a transaction that halts itself; while it is halted its deadlines run."""
    patience = dict.fromkeys(("producer_start_deadline_s", "request_timeout_s", "transaction_timeout_s"), 600)
    command = [
        part for part in stream.command(batch_deadline_s=599, **patience) if part not in {"-m", "worker"}
    ]
    return stream.process([*command, str(LAUNCHER), how, moment, str(number), "dlq", "redrive", "--execute"])


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("before it begins", 4),
        ("before it sends", 1),
        ("before it commits", 3),
        ("before it knows of its commit", 2),
        ("behind its commit", 1),
    ],
)
async def test_a_redrive_that_is_killed_and_run_again_delivers_each_record_once(
    stream: Stream, moment: str, number: int
) -> None:
    """The first partition takes three transactions, so the fourth is the other's first."""
    records = {0: numbered(8, "zero"), 2: numbered(4, "two")}
    for place, some in records.items():
        await set_aside(stream, some, place)
    killed = halting(stream, "SIGKILL", moment, number)
    assert await killed.ended() == -signal.SIGKILL
    done = await redrive(stream)
    assert done.returncode == 0, done.stdout
    back, entries = await redriven(stream), await noted(stream)
    for place, some in records.items():
        assert values(back[place]) == [record.value for record in some]
        assert entries[place] == list(range(len(some)))


@pytest.mark.parametrize("moment", ["before it commits", "behind its commit"])
async def test_a_redrive_that_stalls_while_another_runs_is_fenced_and_delivers_nothing_twice(
    stream: Stream, moment: str
) -> None:
    records = numbered(8)
    await set_aside(stream, records)
    stalled = halting(stream, "SIGSTOP", moment, 2)
    await until(lambda: is_stopped(stalled.pid), f"it to stall; it said:\n{stalled.text}")
    done = await redrive(stream)
    assert done.returncode == 0, done.stdout
    os.kill(stalled.pid, signal.SIGCONT)
    assert await stalled.ended() == 1, stalled.text
    (told,) = [line for line in stalled.text.splitlines() if line.startswith("mms-worker")]
    place = f"partition 0 of {stream.settings.dead_letter_topic}"
    assert told == f"mms-worker: {place}: {FENCED}"
    assert values((await redriven(stream))[0]) == [record.value for record in records]
    assert (await noted(stream))[0] == list(range(8))


async def test_a_redrive_that_is_told_to_stop_ends_quietly_and_can_be_run_again(stream: Stream) -> None:
    records = numbered(8)
    await set_aside(stream, records)
    halted = halting(stream, "SIGSTOP", "before it commits", 2)
    await until(lambda: is_stopped(halted.pid), f"it to halt; it said:\n{halted.text}")
    os.kill(halted.pid, signal.SIGTERM)
    os.kill(halted.pid, signal.SIGCONT)
    assert await halted.ended() == 128 + signal.SIGTERM
    assert "Traceback" not in halted.text
    done = await redrive(stream)
    assert done.stdout.startswith("5 dead letters sent"), done.stdout
    assert values((await redriven(stream))[0]) == [record.value for record in records]


@pytest.mark.parametrize(
    ("how", "moment", "number", "code"),
    [
        # Transactions: three records, two and a large one, the first of them alone, the large one alone.
        ("SIGKILL", "before it begins", 4, -signal.SIGKILL),
        ("SIGSTOP", "before it fences", 2, 1),
    ],
    ids=["killed", "overtaken"],
)
async def test_a_redrive_that_is_held_up_by_a_record_too_large_delivers_nothing_twice(
    stream: Stream, how: str, moment: str, number: int, code: int
) -> None:
    """What another one delivers while it starts its producer anew, it finds in the ledger."""
    records = [*numbered(4), LARGE, *numbered(4, "behind")]
    await set_aside(stream, records)
    halted = halting(stream, how, moment, number)
    if how == "SIGKILL":
        assert await halted.ended() == code
    else:
        await until(lambda: is_stopped(halted.pid), f"it to halt; it said:\n{halted.text}")
    done = await redrive(stream)
    assert done.returncode == 1, done.stdout
    if how == "SIGSTOP":
        os.kill(halted.pid, signal.SIGCONT)
        assert await halted.ended() == code, halted.text
        assert halted.text.startswith("3 dead letters sent"), halted.text
        assert "redriven before and left: 5" in halted.text
    assert values((await redriven(stream))[0]) == [one.value for one in records if one is not LARGE]


async def test_what_others_deliver_before_a_redrive_fences_them_it_knows(stream: Stream) -> None:
    records = numbered(4)
    await set_aside(stream, records)
    slow = halting(stream, "SIGSTOP", "before it fences", 1)
    await until(lambda: is_stopped(slow.pid), f"it to halt; it said:\n{slow.text}")
    done = await redrive(stream)
    assert done.returncode == 0, done.stdout
    os.kill(slow.pid, signal.SIGCONT)
    assert await slow.ended() == 0, slow.text
    assert slow.text.startswith("0 dead letters sent")
    assert values((await redriven(stream))[0]) == [record.value for record in records]


def is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


async def test_redrives_at_once_deliver_each_record_once(stream: Stream) -> None:
    records = numbered(2 * MOST_RECORDS)
    for place in range(2):
        await set_aside(stream, records, place)
    done = await asyncio.gather(*(redrive(stream) for _ in range(3)))
    codes = [one.returncode for one in done]
    assert set(codes) <= {0, 1}, [one.stdout for one in done]
    assert 0 in codes
    back = await redriven(stream)
    for place in range(2):
        assert values(back[place]) == [record.value for record in records]


async def test_a_void_that_came_before_its_claim_is_decided_once_it_is_redriven(stream: Stream) -> None:
    def record(kind: str, data: dict[str, object], id_: str) -> Input:
        event = {
            "specversion": "1.0",
            "id": id_,
            "source": "/t",
            "type": kind,
            "time": "2026-05-04T10:00:00Z",
        }
        return Input(KEY, orjson.dumps(event | {"data": data}))

    early, submitted = record(VOIDED, void("C-1"), "e-2"), record(SUBMITTED, claim("C-1", "17311"), "e-1")
    place = partition(submitted)
    stream.worker()
    await stream.publish([early], timestamp=SENT_MS)
    await stream.drained(1)
    again = await redrive(stream)  # too early: the claim is not there yet
    assert again.returncode == 0, again.stdout
    await stream.drained(2)
    await stream.publish([submitted], timestamp=SENT_MS)
    await stream.drained(4)  # at 2 there is the redrive's marker
    first, second = (await stream.dead_letters())[place]
    assert (first.value, second.value) == (early.value, early.value)
    topic = stream.settings.dead_letter_topic

    done = await redrive(stream)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (
        0,
        "redriven before and left: 1; --again sends them once more",
    )
    await stream.drained(5)
    *_, sent = (await redriven(stream))[place]
    assert sent.headers == tuple(
        (REDRIVE, f"{topic}/{place}/{letter.offset}".encode()) for letter in (first, second)
    )
    results = (await stream.results())[place]
    assert values(results) == decided(submitted, early)
    assert [result.timestamp for result in results] == [SENT_MS, sent.timestamp]
    assert sent.timestamp > SENT_MS
    assert dict(results[-1].headers)["ce_time"] == b"2026-05-04T10:00:00Z"
    assert len((await stream.dead_letters())[place]) == 2


class TestHeaders:
    OWN = (("ce_id", b"1"), ("mms.dlq.path", b"theirs"))
    LETTER = (*OWN, *((name, name.encode()) for name in ADDED))

    def test_those_that_the_worker_added_are_taken_off_and_no_others(self) -> None:
        assert taken_apart(self.LETTER) == (self.OWN, list(ADDED))

    def test_of_a_record_without_any_of_its_own_nothing_is_left(self) -> None:
        assert taken_apart(self.LETTER[2:]) == ((), list(ADDED))

    @pytest.mark.parametrize(
        "foreign",
        [
            (),
            OWN,
            LETTER[:-1],
            LETTER[3:],
            (*LETTER, ("behind", b"")),
            (*LETTER[:-2], LETTER[-1], LETTER[-2]),
            (*LETTER[:-1], (ADDED[-1], None)),
        ],
    )
    def test_a_record_that_does_not_end_with_all_of_them_in_their_order_is_foreign(
        self, foreign: tuple[tuple[str, bytes | None], ...]
    ) -> None:
        assert taken_apart(foreign) is None

    @pytest.mark.parametrize("number", [b"", b"-1", b"1.0", "\u0661".encode(), b"9" * 20, b"\xff"])
    def test_a_place_that_is_no_number_makes_it_foreign(self, number: bytes, tmp_path: Path) -> None:
        with ExitStack() as ending:
            (made,) = letters(numbered(1), Stream("127.0.0.1:1", "none", tmp_path, ending), 0)
        changed = [
            (name, number if name == "__streams.errors.offset" else value) for name, value in made.headers
        ]
        record = ConsumerRecord("dlq", 0, 7, SENT_MS, 0, made.key, made.value, None, 0, 0, tuple(changed))
        assert letter_of(record).why is None


class TestLedger:
    LETTER = Letter(partition=1, offset=7, timestamp=SENT_MS, why=None)

    def note(self, value: bytes | None) -> Ledger:
        ledger = Ledger()
        ledger.note(ConsumerRecord("dlq.redriven", 1, 3, SENT_MS + 5, 0, b"7", value, None, 0, 0, ()))
        return ledger

    def test_tells_when_a_letter_was_redriven(self) -> None:
        entry = entry_of(self.LETTER, SENT_MS + 5, Settings())
        ledger = self.note(entry.value)
        assert ledger.redriven_at(self.LETTER) == SENT_MS + 5
        assert ledger.redriven_at(self.LETTER._replace(offset=8)) is None

    def test_does_not_take_a_letter_of_a_topic_made_anew_for_one_of_the_same_offset_before(self) -> None:
        ledger = self.note(orjson.dumps({"topic": "dlq", "partition": 1, "offset": 7, "timestamp": 1}))
        assert ledger.redriven_at(self.LETTER) is None

    @pytest.mark.parametrize("value", [None, b"", b"[]", b'{"offset": "7"}'])
    def test_refuses_a_record_that_is_no_entry(self, value: bytes | None) -> None:
        with pytest.raises(
            Refused, match=r"partition 1 of dlq\.redriven: the record at offset 3 is no entry"
        ):
            self.note(value)

    def test_says_which_letter_it_was_and_nothing_of_what_it_holds(self) -> None:
        entry = entry_of(self.LETTER, SENT_MS + 5, Settings(dead_letter_topic="dlq"))
        assert entry == Outgoing(b"7", entry.value, SENT_MS + 5, (), 7)
        assert orjson.loads(entry.value or b"") == {
            "topic": "dlq",
            "partition": 1,
            "offset": 7,
            "timestamp": SENT_MS,
        }
        assert Entry.__struct_fields__ == ("topic", "partition", "offset", "timestamp")

    def test_keeps_every_entry_for_ever(self) -> None:
        spec = ledger_spec(Settings(dead_letter_retention_days=90), 12)
        kept = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
        assert spec.partitions == 12
        assert spec.config.items() >= kept.items()
