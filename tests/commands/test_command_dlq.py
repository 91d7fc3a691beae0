"""``mms-worker dlq``: what is told of dead letters, which of them are meant, and what is not told."""

from __future__ import annotations

import asyncio
import logging
from contextlib import ExitStack
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, get_args

import orjson
import pytest
from aiokafka import ConsumerRecord
from aiokafka.admin import NewPartitions
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from tests.stream.letterkit import SENT_MS, Record, dlq, letters, numbered, redrive, set_aside, write
from tests.stream.streamkit import PARTITIONS, Stream
from worker.adjudication.decode import Reason
from worker.commands.brokers import answer_or_exit
from worker.commands.console import NOTICE, screen
from worker.commands.dlq import Filters, app
from worker.commands.letter_pages import render_list
from worker.devkit.ports import LOOPBACK, free_ports
from worker.devkit.process import run
from worker.stream.outgoing import Outgoing
from worker.stream.records import RawName
from worker.stream.redrive.ledger import KEPT, ledger_topic
from worker.stream.redrive.letter import letter_of
from worker.stream.redrive.selection import Selection
from worker.stream.rights.table import Task
from worker.stream.topics import ABSENT, TopicSpec, create_missing

DIAGNOSIS = "C44.311"
"""Of a claim, so not to be shown unless that is asked for."""
SENT = "2023-11-14T22:13:20.000Z"
"""``SENT_MS`` as it is told."""


@pytest.fixture
def offline(tmp_path: Path) -> Stream:
    """Settings without a broker."""
    (port,) = free_ports(1)
    return Stream(f"{LOOPBACK}:{port}", "offline", tmp_path, ExitStack())


def selection(*arguments: str) -> Selection:
    """What the arguments of a command select."""
    _, bound, _ = app.parse_args(["list", *arguments], exit_on_error=False)
    filters = bound.arguments.get("filters", Filters())
    assert isinstance(filters, Filters)
    return filters.selection_or_exit()


def letter(stream: Stream, reason: str = "contract", **place: int) -> ConsumerRecord:
    (made,) = letters([Record(b"k", b"v", reason=reason)], stream, place.get("partition", 0))
    return ConsumerRecord(
        "dlq", place.get("partition", 0), place.get("offset", 0), place.get("timestamp", SENT_MS), 0,
        made.key, made.value, None, 0, 0, tuple(made.headers),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "taken", "left"),
    [
        ("--reason contract", {"reason": "contract"}, {"reason": "too_large"}),
        ("--reason contract --reason too_large", {"reason": "too_large"}, {"reason": "undecodable"}),
        ("--partition 1", {"partition": 1}, {"partition": 0}),
        ("--partition 1 --partition 2", {"partition": 2}, {"partition": 3}),
        ("--partition 0 --offset 5", {"offset": 5}, {"offset": 4}),
        ("--partition 0 --offset 5 --offset 7", {"offset": 7}, {"offset": 6}),
        ("--partition 0 --from-offset 5", {"offset": 5}, {"offset": 4}),
        ("--partition 0 --to-offset 5", {"offset": 4}, {"offset": 5}),
        ("--from 2023-11-14T22:13:20Z", {"timestamp": SENT_MS}, {"timestamp": SENT_MS - 1}),
        ("--to 2023-11-14T22:13:20Z", {"timestamp": SENT_MS - 1}, {"timestamp": SENT_MS}),
        ("--from 2023-11-14T22:13:20.001Z", {"timestamp": SENT_MS + 1}, {"timestamp": SENT_MS}),
        ("--from 2023-11-14T22:13:20.000001Z", {"timestamp": SENT_MS + 1}, {"timestamp": SENT_MS}),
        ("--to 2023-11-14T22:13:20.000001Z", {"timestamp": SENT_MS}, {"timestamp": SENT_MS + 1}),
        ("--from 2023-11-14T22:13:20", {"timestamp": SENT_MS}, {"timestamp": SENT_MS - 1}),
        ("--from 2023-11-15T00:13:20+02:00", {"timestamp": SENT_MS}, {"timestamp": SENT_MS - 1}),
        ("--from 1970-01-02", {"timestamp": 86_400_000}, {"timestamp": 86_399_999}),
        ("--to 1969-12-31", {"timestamp": -86_400_001}, {"timestamp": -86_400_000}),
        ("--reason contract --from 2023-11-14T22:13:20Z", {}, {"timestamp": SENT_MS - 1}),
        ("--reason contract --from 2023-11-14T22:13:20Z", {}, {"reason": "too_large"}),
    ],
)  # fmt: skip
def test_a_filter_takes_up_to_its_bounds_and_no_further(
    offline: Stream, arguments: str, taken: dict[str, Any], left: dict[str, Any]
) -> None:
    chosen = selection(*arguments.split())
    assert chosen.takes(letter_of(letter(offline, **taken)))
    assert not chosen.takes(letter_of(letter(offline, **left)))


def test_without_filters_all_are_meant_those_without_a_reason_too(offline: Stream) -> None:
    foreign = letter_of(ConsumerRecord("dlq", 0, 0, SENT_MS, 0, None, None, None, 0, 0, ()))
    assert selection().takes(foreign)
    assert not selection("--reason", "contract").takes(foreign)


@pytest.mark.parametrize(
    ("chosen", "first", "last"),
    [
        (Selection(), 0, None),
        (Selection(from_offset=5), 5, None),
        (Selection(to_offset=5), 0, 4),
        (Selection(offsets=frozenset({3, 7})), 3, 7),
        (Selection(offsets=frozenset({3, 7}), from_offset=4, to_offset=6), 4, 5),
    ],
)
def test_no_more_is_read_than_the_offsets_say(chosen: Selection, first: int, last: int | None) -> None:
    assert (chosen.first_offset, chosen.last_offset) == (first, last)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("list --reason unknown", [*get_args(Reason)]),
        ("list --from yesterday", ["--from", "2026-05-04T10:30:00Z"]),
        ("redrive --to 2026-13-01", ["--to"]),
        ("redrive --partition -1", ["--partition"]),
        ("list --offset 3", ["--offset", "one --partition"]),
        ("redrive --from-offset 3 --partition 1 --partition 2", ["--from-offset", "one --partition"]),
        ("redrive --to-offset 3", ["--to-offset", "one --partition"]),
    ],
)
def test_a_filter_that_is_none_ends_it_with_two_and_what_there_is(
    offline: Stream, arguments: str, told: list[str]
) -> None:
    done = run(offline.command("dlq", *arguments.split()), 60)
    assert done.returncode == 2
    for part in told:
        assert part in done.stdout


def rows(done: CompletedProcess[str]) -> list[dict[str, Any]]:
    assert done.returncode == 0, done.stdout
    return [orjson.loads(line) for line in done.stdout.splitlines()]


async def test_letters_are_listed_with_where_they_are_why_and_when_they_were_redriven(stream: Stream) -> None:
    settings = stream.settings
    first = [Record(b"k", b"v", reason="contract"), Record(b"k", b"v", timestamp=SENT_MS - 1)]
    await set_aside(stream, first, 1)
    await set_aside(stream, numbered(1), 3)
    await write(stream, settings.dead_letter_topic, 3, [Outgoing(b"k", b"v", SENT_MS, [(DIAGNOSIS, b"1")])])
    assert [row["redriven"] for row in rows(await dlq(stream, "list", "--json"))] == [None] * 4
    await redrive(stream, "--partition", "1", "--offset", "1")

    one, two, three, foreign = rows(await dlq(stream, "list", "--json"))
    assert one == {
        "partition": 1, "offset": 0, "time": SENT, "reason": "contract", "path": "$.data[0]",
        "source_topic": settings.input_topic, "source_partition": 1, "source_offset": 0, "redriven": None,
        "sealed_with": None, "fault": None,
    }  # fmt: skip
    assert (two["offset"], two["time"], two["source_offset"]) == (1, "2023-11-14T22:13:19.999Z", 1)
    (sent,) = (await stream.read(settings.input_topic))[1]
    assert two["redriven"] is not None
    assert two["redriven"] > SENT
    assert selection("--from", two["redriven"]).from_ms == sent.timestamp
    assert (three["partition"], three["redriven"]) == (3, None)
    assert {foreign[name] for name in ("reason", "path", "source_topic", "source_offset")} == {None}
    assert (foreign["partition"], foreign["offset"]) == (3, 2)
    assert "no dead letter of this worker" in foreign["fault"]

    contract, behind, everything = await asyncio.gather(
        dlq(stream, "list", "--json", "--reason", "contract"),
        dlq(stream, "list", "--json", "--partition", "3", "--from-offset", "1"),
        dlq(stream, "list"),
    )
    assert (rows(contract), rows(behind)) == ([one], [foreign])
    said = everything.stdout
    table, summary = said.split("\n\n")
    assert table.splitlines()[1].split()[:6] == ["1", "0", "2023-11-14", "22:13:20Z", "contract", "$.data[0]"]
    assert summary.splitlines()[-1].split() == ["together", "4", "1"]
    assert DIAGNOSIS not in said


async def test_no_letters_are_none_and_no_fault(stream: Stream) -> None:
    done = await dlq(stream, "list")
    assert (done.returncode, done.stdout) == (
        0,
        f"No such dead letters in {stream.settings.dead_letter_topic}.\n",
    )
    assert rows(await dlq(stream, "list", "--json", "--partition", "0", "--from-offset", "99")) == []


async def test_a_letter_is_shown_without_what_it_holds_unless_phi_is_asked_for(stream: Stream) -> None:
    topic = stream.settings.dead_letter_topic
    record = Record(
        b"MBR-1",
        b'{"diagnoses": ["C44.311"]}',
        [
            ("ce_subject", b"MBR-1"),
            (RawName("\udcff"), b"\xff"),
            ("mms.redrive", f"{topic}/0/0".encode()),
            ("mms.redrive", b"MBR-1/0/0"),
            ("null", None),
        ],
    )
    await set_aside(stream, [Record(None, None), record], 2)

    show = ("show", "2", "1")
    plain, document, opened, told, nothing = await asyncio.gather(
        dlq(stream, *show),
        dlq(stream, *show, "--json"),
        dlq(stream, *show, "--with-phi"),
        dlq(stream, *show, "--with-phi", "--json"),
        dlq(stream, "show", "2", "0", "--with-phi", "--json"),
    )
    assert plain.returncode == 0
    for line in (
        f"Dead letter 1 of partition 2 of {topic}",
        "  time       2023-11-14T22:13:20.000Z",
        "  reason     unknown_claim",
        "  path       $.data[1]",
        "  message    what is wrong",
        f"  came from  offset 1 of partition 2 of {stream.settings.input_topic}",
        f"  was before {topic}/0/0",
        "  redriven   not yet",
        "  key: 5 bytes",
        "  value: 26 bytes",
        "  header ce_subject: 5 bytes",
        "  header \\xff: 1 bytes",
        "  header null: null",
    ):
        assert line in plain.stdout.splitlines()
    for said in (plain.stdout, document.stdout):
        assert DIAGNOSIS not in said
        assert "MBR-1" not in said

    shown = orjson.loads(told.stdout)
    assert shown["notice"] == NOTICE
    assert (shown["key"], shown["value"]) == ({"text": "MBR-1"}, {"text": '{"diagnoses": ["C44.311"]}'})
    assert [header["value"] for header in shown["headers"]] == [
        {"text": "MBR-1"}, {"base64": "/w=="}, {"text": f"{topic}/0/0"}, {"text": "MBR-1/0/0"}, None
    ]  # fmt: skip
    lines = opened.stdout.splitlines()
    assert lines[0] == NOTICE
    assert '  value: {"diagnoses": ["C44.311"]}' in lines

    empty = orjson.loads(nothing.stdout)
    assert (empty["key"], empty["value"], empty["headers"]) == (None, None, [])


async def test_a_foreign_record_is_shown_as_one(stream: Stream) -> None:
    record = Outgoing(b"k", b"v", SENT_MS, [("mms.dlq.reason", b"made up")])
    await write(stream, stream.settings.dead_letter_topic, 0, [record])
    done = await dlq(stream, "show", "0", "0")
    assert done.returncode == 0
    assert "  reason     none: it is no dead letter of this worker" in done.stdout
    assert "  header mms.dlq.reason: 7 bytes" in done.stdout


async def test_an_offset_without_a_letter_is_not_found(stream: Stream) -> None:
    await set_aside(stream, numbered(1), 0)
    for offset in ("1", "7"):  # at the first there is a marker
        done = await dlq(stream, "show", "0", offset)
        place = f"partition 0 of {stream.settings.dead_letter_topic}"
        assert (done.returncode, done.stdout) == (
            1,
            f"mms-worker: {place} has no record at offset {offset}; see mms-worker dlq list\n",
        )
    done = await dlq(stream, "show", str(PARTITIONS), "0")
    assert done.returncode == 2
    assert f"has no partition {PARTITIONS}, it has {PARTITIONS}" in done.stdout


async def test_a_topic_that_does_not_exist_is_told_with_its_setting(stream: Stream) -> None:
    for field in ("dead_letter_topic", "input_topic"):
        told = f"topic nowhere {ABSENT}; see MMS_{field.upper()}"
        await refused(stream, "redrive", "--execute", told=told, **{field: "nowhere"})


async def refused(stream: Stream, *arguments: str, told: str, **settings: Any) -> None:
    """Run a command of ``dlq`` and expect one line that tells this."""
    done = await asyncio.to_thread(run, stream.command("dlq", *arguments, **settings), 60)
    assert done.returncode == 2, done.stdout
    (line,) = done.stdout.splitlines()
    assert line.startswith(f"mms-worker: {told}"), line


async def grow(stream: Stream, topic: str, partitions: int) -> None:
    async with stream.administration() as client:
        await client.create_partitions({topic: NewPartitions(total_count=partitions)})


async def test_once_there_are_more_partitions_it_is_read_on_and_a_redrive_tells_the_repair(
    stream: Stream,
) -> None:
    settings, ledger = stream.settings, ledger_topic(stream.settings)
    async with stream.administration() as client:
        await create_missing(client, [TopicSpec(ledger, 2, 1, KEPT)])
    for partition in (1, 3):
        await set_aside(stream, numbered(1), partition)
    alter = f"kafka-topics.sh --bootstrap-server {settings.bootstrap_servers} --alter --topic"
    told = f"topic {ledger} has 2 partitions, not the 4 of {settings.dead_letter_topic}; "
    told += f"repair: {alter} {ledger} --partitions 4; "
    listed, shown, *_ = await asyncio.gather(
        dlq(stream, "list", "--json"),
        dlq(stream, "show", "3", "0"),
        refused(stream, "redrive", told=told),
        refused(stream, "redrive", "--execute", told=told),
    )
    assert [(row["partition"], row["redriven"]) for row in rows(listed)] == [(1, None), (3, None)]
    assert shown.returncode == 0
    await grow(stream, ledger, 5)  # more than enough
    assert (await redrive(stream)).returncode == 0

    await grow(stream, settings.input_topic, 6)
    told = f"topic {settings.dead_letter_topic} has 4 partitions, not the 6 of {settings.input_topic}; "
    repair = f"repair: {alter} {settings.dead_letter_topic} --partitions 6"
    await refused(stream, "redrive", told=told + repair)
    assert all(row["redriven"] for row in rows(await dlq(stream, "list", "--json")))


async def test_a_ledger_that_does_not_keep_its_entries_is_refused_with_the_repair(stream: Stream) -> None:
    """As one that a broker has made up, with its defaults."""
    ledger = ledger_topic(stream.settings)
    config = {"cleanup.policy": "compact", "retention.ms": "604800000", "retention.bytes": "1000000"}
    await set_aside(stream, numbered(1))
    async with stream.administration() as client:
        await create_missing(client, [TopicSpec(ledger, PARTITIONS, 1, config)])
    configs = f"kafka-configs.sh --bootstrap-server {stream.settings.bootstrap_servers} --alter"
    told = "".join(
        f"topic {ledger} has {name}={value}, not {KEPT[name]}; repair: {configs} --entity-type topics "
        f"--entity-name {ledger} --add-config {name}={KEPT[name]}; "
        for name, value in config.items()
    )
    listed, *_ = await asyncio.gather(
        dlq(stream, "list", "--json"),
        refused(stream, "redrive", told=told),
        refused(stream, "redrive", "--execute", told=told),
    )
    assert len(rows(listed)) == 1
    async with stream.administration() as client:
        await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, ledger, {**KEPT})])
    assert (await redrive(stream)).returncode == 0


async def test_a_ledger_that_cannot_be_made_is_told_with_the_setting_at_fault(stream: Stream) -> None:
    ledger = ledger_topic(stream.settings)
    done = run(stream.command("dlq", "redrive", "--execute", replication=3), 60)
    assert done.returncode == 2
    assert done.stdout.startswith(f"mms-worker: topic {ledger} was not created: ")
    assert done.stdout.endswith("; see MMS_REPLICATION\n")


def test_brokers_that_cannot_be_reached_are_told_with_how_to_name_others(offline: Stream) -> None:
    for arguments in (["list"], ["show", "0", "0"], ["redrive", "--execute"]):
        done = run(offline.command("dlq", *arguments), 60)
        assert done.returncode == 2
        (line,) = done.stdout.splitlines()
        servers = offline.settings.bootstrap_servers
        assert line == f"mms-worker: {servers}: Connection refused; see --bootstrap, MMS_BOOTSTRAP_SERVERS"


def test_a_failure_without_words_is_told_by_its_name(
    offline: Stream,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(*_: object) -> None:
        raise TimeoutError

    monkeypatch.setattr("worker.stream.rights.missing.require", fail)
    caplog.set_level(logging.CRITICAL, "aiokafka")  # as the command does, and it is put back
    with pytest.raises(SystemExit, match="2"):
        answer_or_exit(fail(), offline.settings, Task.LETTERS)
    assert capsys.readouterr().err.endswith(" (--bootstrap, MMS_BOOTSTRAP_SERVERS): TimeoutError\n")


def test_a_letter_cannot_speak_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    row = {
        "partition": 0, "offset": 0, "time": "9223372036854775807 ms", "reason": "\x1b[2J", "path": "[red]",
        "source_partition": 0, "source_offset": 0, "redriven": None,
    }  # fmt: skip
    render_list([row], "dlq", screen())
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "[red]" in said


def test_help_says_what_is_phi_and_that_a_redrive_is_a_dry_run(offline: Stream) -> None:
    assert "PHI" in run(offline.command("dlq", "show", "--help"), 60).stdout
    assert "without --execute" in run(offline.command("dlq", "redrive", "--help"), 60).stdout
