"""``mms-worker status``: the verdict, the figures behind it, and that nothing of a claim is in them."""

from __future__ import annotations

import asyncio
import os
import pty
import signal
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from shutil import copytree
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import NewPartitions

import worker.policies
from tests.stream.letterkit import redrive
from tests.stream.streamkit import PARTITIONS, Input, Stream, claims, placed, until
from worker.devkit.claims.bad import spoil
from worker.devkit.generator import events
from worker.devkit.ports import LOOPBACK, free_ports
from worker.placing import place
from worker.policies.catalog import manifests
from worker.stream.outgoing import Outgoing
from worker.stream.transactions.producer import TransactionalProducer

HOUR_MS = 60 * 60 * 1000
STANDING = {
    "verdict", "findings", "at", "group", "group_state", "workers", "totals", "partitions",
    "open_transactions", "digests", "dead_letters",
}  # fmt: skip
LANE = {
    "partition", "owner", "first_offset", "committed_offset", "end_offset", "lag_records", "lag_seconds",
    "blocked_records", "last_commit", "digest",
}  # fmt: skip
WORKER = {"consumer_id", "client_id", "host", "partitions"}
DIGEST = {"digest", "engine", "policies", "code_sets", "partitions", "last_result", "live"}
TRANSACTION = {
    "topic", "partition", "producer_id", "last_stable_offset", "high_watermark", "seconds", "hangs",
}  # fmt: skip
TOTALS = {
    "partitions", "owned", "lag_records", "lag_seconds", "blocked_records", "last_commit", "dead_letters",
    "redriven",
}  # fmt: skip


async def status(stream: Stream, *arguments: str, **settings: Any) -> subprocess.CompletedProcess[str]:
    """``mms-worker status`` as on a terminal of 80 columns."""
    return await asyncio.to_thread(
        subprocess.run,
        stream.command("status", *arguments, **settings),
        env=os.environ | {"COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=False,
    )


async def standing(stream: Stream, **settings: Any) -> dict[str, Any]:
    """What ``--json`` tells; its exit code says the same as its verdict."""
    done = await status(stream, "--json", **settings)
    assert done.returncode in {0, 1}, done.stderr
    told: dict[str, Any] = orjson.loads(done.stdout)
    assert (done.returncode == 0) == (told["verdict"] == "healthy") == (told["findings"] == []), told
    return told


def codes(told: dict[str, Any]) -> list[str]:
    return [finding["code"] for finding in told["findings"]]


def bad_records() -> list[Input]:
    """Two or more of each of four reasons."""
    spoiled = spoil(events(14, seed=4), keys_too=True)
    return [Input(bad.key, bad.value) for bad in spoiled]


def second_policies(directory: Path) -> Path:
    """Policies that decide alike under another digest: a comment more."""
    copied = directory / "policies"
    copytree(Path(worker.policies.__file__).parent, copied)
    with (copied / "ncci.toml").open("a") as document:
        document.write("# another edition\n")
    place(manifests(copied))
    return copied


async def test_two_workers_at_work_are_healthy_and_all_of_it_is_told(stream: Stream) -> None:
    began = time.clock_gettime(time.CLOCK_REALTIME)
    workers = [stream.worker(), stream.worker()]
    for one in workers:
        await one.ready()
    bad, good = bad_records(), claims(300, seed=5)
    await stream.publish([*good, *bad])
    await stream.drained(len(good) + len(bad))

    async def is_settled() -> dict[str, Any] | None:
        told = await standing(stream)
        return told if told["verdict"] == "healthy" and not told["totals"]["lag_records"] else None

    told = await until(is_settled, "two workers that have done their work")
    assert told.keys() == STANDING
    assert (told["group"], told["group_state"]) == (stream.settings.app_id, "Stable")
    assert [one.keys() for one in told["workers"]] == [WORKER, WORKER]
    assert {one["host"] for one in told["workers"]} == {LOOPBACK}
    held = {number: one["consumer_id"] for one in told["workers"] for number in one["partitions"]}
    assert sorted(held) == list(range(PARTITIONS))
    sent = placed([*good, *bad])
    for number, lane in enumerate(told["partitions"]):
        assert lane.keys() == LANE
        assert (lane["partition"], lane["owner"]) == (number, held[number])
        assert lane["committed_offset"] == lane["end_offset"] == len(sent[number])
        assert (lane["first_offset"], lane["lag_records"], lane["lag_seconds"]) == (0, 0, 0)
        assert began <= lane["last_commit"] <= told["at"]
    (digest,) = told["digests"]
    assert digest.keys() == DIGEST
    assert digest["live"]
    assert digest["partitions"] == list(range(PARTITIONS))
    assert {lane["digest"] for lane in told["partitions"]} == {digest["digest"]}
    letters = {one["reason"]: (one["letters"], one["redriven"]) for one in told["dead_letters"]}
    assert letters == {
        "contract": (8, 0), "key_mismatch": (2, 0), "undecodable": (2, 0), "unknown_type": (2, 0)
    }  # fmt: skip
    assert told["totals"].keys() == TOTALS
    assert (told["totals"]["owned"], told["totals"]["dead_letters"]) == (PARTITIONS, len(bad))
    assert told["totals"]["last_commit"] == max(lane["last_commit"] for lane in told["partitions"])

    page = (await status(stream)).stdout
    assert page.startswith("HEALTHY  as of ")
    assert [line for line in page.splitlines() if line != line.rstrip()] == []
    assert max(map(len, page.splitlines())) <= 80
    for shown in ("Stable, 2 workers", "\nkey_mismatch        2         0", "live, 4 partitions"):
        assert shown in page


async def test_without_workers_the_backlog_is_told_with_its_age(stream: Stream) -> None:
    one = stream.worker()
    await stream.publish(claims(40, seed=6))
    await stream.drained(40)
    assert one.stop(10)
    late = [record for record in claims(60, seed=7) if placed([record]).keys() == {1}]
    await stream.publish(late, timestamp=int(time.clock_gettime(time.CLOCK_REALTIME) * 1000) - HOUR_MS)
    told = await standing(stream)
    assert (told["verdict"], codes(told)) == ("no_members", ["no_members", "lagging"])
    assert told["workers"] == []
    lane = told["partitions"][1]
    assert (lane["lag_records"], lane["end_offset"] - lane["committed_offset"]) == (len(late), len(late))
    assert 3600 <= lane["lag_seconds"] <= 3600 + 120
    assert told["totals"]["lag_records"] == len(late)
    page = (await status(stream)).stdout.splitlines()
    assert page[0].startswith("NEEDS A LOOK  as of ")
    assert page[1:3] == [
        "  - no members: no worker is running",
        f"  - lagging: {len(late)} records behind on partition 1",
    ]
    assert codes(orjson.loads((await status(stream, "--json", "--max-lag", "86400")).stdout)) == [
        "no_members"
    ]


async def test_new_topics_without_a_group_are_told_as_such(stream: Stream) -> None:
    told = await standing(stream)
    assert codes(told) == ["no_group"]
    assert told["totals"] == {
        "partitions": PARTITIONS, "owned": 0, "lag_records": 0, "lag_seconds": 0.0, "blocked_records": 0,
        "last_commit": None, "dead_letters": 0, "redriven": 0,
    }  # fmt: skip
    assert {lane["committed_offset"] for lane in told["partitions"]} == {None}
    assert told["digests"] == told["dead_letters"] == told["open_transactions"] == []


async def test_two_digests_at_work_are_a_finding(stream: Stream, tmp_path: Path) -> None:
    by_place = placed(claims(80, seed=8))
    for numbers, settings in (
        ((0, 1, 2), {}),
        ((3,), {"policies_dir": second_policies(tmp_path)}),
    ):
        before = await stream.committed()
        one = stream.worker(**settings)
        records = [record for number in numbers for record in by_place[number]]
        await stream.publish(records)
        await stream.drained(before + len(records))
        assert one.stop(10)
    told = await standing(stream)
    assert "digest_skew" in codes(told)
    assert [(one["partitions"], one["live"]) for one in told["digests"]] == [([3], True), ([0, 1, 2], True)]
    assert "digest skew: partitions are decided by 2 different digests" in (await status(stream)).stdout


async def test_an_open_transaction_is_told_and_healthy_whatever_time_its_record_has(stream: Stream) -> None:
    """Producers may date records by what they tell of."""
    now_ms, topic = int(time.clock_gettime(time.CLOCK_REALTIME) * 1000), stream.settings.input_topic
    async with AIOKafkaProducer(
        bootstrap_servers=stream.settings.bootstrap_servers,
        transactional_id=f"{stream.settings.app_id}-dates",
        transaction_timeout_ms=120_000,
    ) as producer:
        await producer.begin_transaction()
        await (await producer.send(topic, b"{}", partition=2, timestamp_ms=now_ms - HOUR_MS))
        told = await standing(stream)
        assert codes(told) == ["no_group"]
        (opened,) = told["open_transactions"]
        assert opened.keys() == TRANSACTION
        assert (opened["topic"], opened["partition"], opened["hangs"]) == (topic, 2, False)
        assert (opened["last_stable_offset"], opened["high_watermark"]) == (0, 1)
        assert 0 <= opened["seconds"] < HOUR_MS / 1000
        assert [lane["blocked_records"] for lane in told["partitions"]] == [0, 0, 1, 0]
        page = (await status(stream)).stdout
        assert "HANGS" not in page
        for shown in (
            "none yet, 0 workers",
            "\nnot readable, in open transactions or behind them: 1\n",
            "\nOpen transactions\n",
        ):
            assert shown in page
        await producer.abort_transaction()
    told = await standing(stream)
    assert (codes(told), told["open_transactions"]) == (["no_group"], [])
    assert told["totals"]["lag_records"] == 0  # what is left are markers and what was aborted


async def test_redriven_letters_are_counted_with_their_reason(stream: Stream) -> None:
    bad = bad_records()
    one = stream.worker()
    await stream.publish(bad)
    await stream.drained(len(bad))
    assert one.stop(10)
    assert (await redrive(stream, "--reason", "contract")).returncode == 0
    told = await standing(stream)
    assert {row["reason"]: (row["letters"], row["redriven"]) for row in told["dead_letters"]} == {
        "contract": (8, 8), "key_mismatch": (2, 0), "undecodable": (2, 0), "unknown_type": (2, 0)
    }  # fmt: skip
    again = [lane["lag_records"] for lane in told["partitions"] if lane["lag_records"]]
    assert (told["totals"]["redriven"], sum(again)) == (8, 8 + len(again))  # a marker behind each transaction
    assert orjson.loads((await status(stream, "--json", "--no-dead-letters")).stdout)["dead_letters"] is None


async def test_a_committed_offset_outside_the_log_and_other_counts_of_partitions_are_findings(
    stream: Stream,
) -> None:
    settings = stream.settings
    producer = TransactionalProducer(TopicPartition(settings.input_topic, 0), settings)
    await producer.start()
    await producer.commit({settings.results_topic: [Outgoing(b"k", b"no result", 1, [])]}, 1000)
    await producer.close()
    async with stream.administration() as client:
        await client.create_partitions({settings.changelog_topic: NewPartitions(PARTITIONS + 1)})

    async def is_told() -> bool:
        told = await standing(stream)
        assert told["digests"] == []  # what is no result has no basis
        return codes(told) == ["partitions_differ", "no_members", "offset_gone"]

    await until(is_told, "the broker to know of the new partition")


async def test_nothing_of_a_claim_is_told(stream: Stream) -> None:
    good = claims(60, seed=9)
    one = stream.worker()
    await stream.publish([*good, *bad_records()])
    await stream.drained(len(good) + 14)
    assert one.stop(10)
    told = (await status(stream)).stdout + (await status(stream, "--json")).stdout
    said = {text for record in good for text in texts(orjson.loads(record.value or b"")["data"])}
    assert len(said) > 100
    assert [text for text in said if len(text) > 5 and text in told] == []


def texts(value: Any) -> list[str]:
    """Every string that a value holds."""
    if isinstance(value, dict):
        return [text for inner in value.values() for text in texts(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in texts(inner)]
    return [value] if isinstance(value, str) else []


async def test_of_many_partitions_those_with_the_most_lag_are_listed(stream: Stream, tmp_path: Path) -> None:
    with ExitStack() as ending:
        large = Stream(
            stream.settings.bootstrap_servers,
            f"{stream.settings.app_id}-large",
            tmp_path,
            ending,
            partitions=40,
        )
        await large.create_topics()
        await large.publish([Input(b"k", b"v", number) for number in (3, 39)])
        page = (await status(large)).stdout
        assert "16 partitions with less lag are not listed; --all lists them" in page
        assert [line for line in page.splitlines() if line.split()[:1] == ["39"]]
        whole = (await status(large, "--all")).stdout
        assert all(f"\n{number:>9}  " in whole for number in range(40))


async def test_what_cannot_be_read_is_told_in_one_line(stream: Stream, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    unreachable = await status(stream, "--bootstrap", f"{LOOPBACK}:{port}")
    assert unreachable.returncode == 2
    (line,) = unreachable.stderr.splitlines()
    assert (
        line == f"mms-worker: {LOOPBACK}:{port}: Connection refused; see --bootstrap, MMS_BOOTSTRAP_SERVERS"
    )
    missing = await status(stream, changelog_topic="none-such")
    assert (missing.returncode, missing.stdout) == (2, "")
    (line,) = missing.stderr.splitlines()
    assert line == (
        "mms-worker: topic none-such does not exist, or this user may not describe it; "
        "repair: mms-worker topics create"
    )


async def test_watching_draws_again_until_ctrl_c_and_leaves_the_terminal_as_it_was(stream: Stream) -> None:
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *stream.command("status", "--watch", "--every", "0.2"),
        stdin=theirs, stdout=theirs, stderr=theirs, env=os.environ | {"TERM": "xterm", "COLUMNS": "80"},
        start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    os.set_blocking(ours, False)
    drawn = b""

    def is_drawn(times: int) -> bool:
        nonlocal drawn
        try:
            drawn += os.read(ours, 1 << 16)
        except BlockingIOError:
            return False
        except OSError:  # the other end is closed
            return True
        return drawn.count(b"NEEDS A LOOK") >= times

    try:
        await until(lambda: is_drawn(3), "three drawings")
        process.send_signal(signal.SIGINT)
        await until(lambda: is_drawn(1 << 30), "the end of the drawings")
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
        os.close(ours)
    assert b"\x1b[?1049h" in drawn  # the alternate screen, and back
    assert drawn.rindex(b"\x1b[?1049l") > drawn.rindex(b"NEEDS A LOOK")
    assert b"\x1b[?25h" in drawn  # the cursor too


@pytest.mark.parametrize(
    ("arguments", "why"),
    [(["--watch"], "--watch needs a terminal"), (["--watch", "--json"], "--watch draws on a terminal")],
)
async def test_watching_is_refused_where_nothing_can_be_drawn(
    tmp_path: Path, arguments: list[str], why: str
) -> None:
    done = await status(Stream(f"{LOOPBACK}:1", "offline", tmp_path, ExitStack()), *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"mms-worker: {why}")
