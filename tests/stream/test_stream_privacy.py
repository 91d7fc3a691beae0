"""Whatever happens to a worker, nothing that it shows quotes a claim: logs, pages, letters, spans, commands.

Of a claim a log says at most its id, and everything else not even that.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import aiohttp
import pytest
from aiokafka import ConsumerRecord
from aiokafka.consumer import fetcher

from tests.conftest import NewBroker
from tests.privacy.holders import planted
from tests.stream.fragile import Fragile
from tests.stream.killing import QUICK
from tests.stream.letterkit import write
from tests.stream.markers import CLAIM, FORMED, NAME, NUMBER, TEXT, quoted, spoiled, stories, with_raw_name
from tests.stream.markers_launch import BUGS, in_words
from tests.stream.otlp import Collector, collecting
from tests.stream.streamkit import Input, Stream, Worker, until
from worker.adjudication.claim import Event
from worker.adjudication.decode import Reason, decode
from worker.devkit.ports import free_ports
from worker.devkit.process import run
from worker.stream.deadletters import taken_apart
from worker.stream.records import Records

LAUNCHER = Path(__file__).with_name("markers_launch.py")
COMMAND_S = 60.0
STOP_S = 20.0
MEMBERS = range(1, 5)
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
PAGES = [
    ("/metrics", "text/plain"), ("/metrics", OPENMETRICS), ("/livez", ""), ("/readyz", ""), ("/", ""),
    ("/router/", ""), ("/table/", ""), ("/stats/", ""), (f"/{TEXT}", ""),
]  # fmt: skip
COMMANDS = [
    ["status"], ["status", "--json"], ["dlq", "list"], ["dlq", "list", "--json"],
    ["dlq", "show", "0", "0"], ["dlq", "show", "0", "0", "--json"],
]  # fmt: skip
DEAD_BY_DATA: set[Reason] = {
    "undecodable", "contract", "unknown_type", "key_mismatch", "too_large", "unknown_claim", "id_conflict",
}  # fmt: skip
LINE_OF_LOG = {"event", "level", "logger", "timestamp"}


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collecting() as one:
        for name, value in one.environment().items():
            monkeypatch.setenv(name, value)
        yield one


async def pages(port: int) -> dict[str, str]:
    """What the worker on this port serves, and what it answers to those that ask for more."""
    found = {}
    async with aiohttp.ClientSession() as session:
        for path, accepted in PAGES:
            url = f"http://127.0.0.1:{port}{path}"
            async with session.get(url, headers={"Accept": accepted}) as page:
                found[f"{path} {accepted}"] = f"{dict(page.headers)} {await page.text()}"
    return found


async def commands(stream: Stream) -> dict[str, str]:
    """What the commands print that look at a stream."""
    found = {}
    for arguments in COMMANDS:
        done = await asyncio.to_thread(run, stream.command(*arguments), COMMAND_S)
        assert done.returncode in {0, 1}, done.stdout
        found[" ".join(arguments)] = done.stdout
    return found


async def letters(stream: Stream) -> dict[str, list[str]]:
    """What the worker says in its dead letters, by reason."""
    found: dict[str, list[str]] = {}
    for written in (await stream.dead_letters()).values():
        for letter in written:
            apart = taken_apart(list(letter.headers))
            assert apart is not None
            found.setdefault(apart[1][-2], []).extend(apart[1])
    return found


def assert_log_is_clean(worker: Worker, form: str) -> None:
    assert quoted(worker.text, allowed=CLAIM) == set()
    if form == "json":
        for line in worker.text.splitlines():
            assert json.loads(line).keys() >= LINE_OF_LOG, line


def assert_quotes_nothing(shown: Mapping[str, str]) -> None:
    found = {
        what: quoted(text, allowed=NAME if what.startswith("dlq show") else "")
        for what, text in shown.items()
    }
    assert {what: markers for what, markers in found.items() if markers} == {}


def test_every_marker_is_in_what_is_sent() -> None:
    said = b"".join(record.value or b"" for record in stories([1])).decode()
    assert quoted(said) >= {TEXT, CLAIM, str(NUMBER), *FORMED.values()}


def test_what_the_bugs_say_has_every_marker_of_records_and_events() -> None:
    """By themselves these show nothing, and a bug that quotes nothing would prove nothing."""
    values = [record.value for record in stories([1])]
    events = [decode(value) for value in values]
    records = [planted(ConsumerRecord, value) for value in values]
    everything = {TEXT, CLAIM, *FORMED.values()}
    assert quoted(in_words(records)) >= everything
    assert quoted(in_words([event for event in events if isinstance(event, Event)])) >= {TEXT, CLAIM}


@pytest.mark.parametrize("marker", [TEXT, CLAIM, NAME, str(NUMBER), *FORMED.values()])
@pytest.mark.parametrize("around", ["{}", "x={},", "\x1b[35m{}\x1b[0m", "\\n{}", '"{}"', "['{}']"])
def test_a_marker_is_found_wherever_it_stands(marker: str, around: str) -> None:
    assert quoted(around.format(marker)) == {marker}


@pytest.mark.parametrize("form", ["json", "console"])
async def test_claims_that_are_decided_or_set_aside_are_quoted_nowhere(
    stream: Stream, collector: Collector, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setattr(fetcher, "MemoryRecords", Records)  # for the record with the raw name
    (port,) = free_ports(1)
    good, bad = stories(MEMBERS), list(spoiled(1))
    worker = stream.worker(traces="otlp", log_level="debug", log_format=form, web_port=port)
    await write(stream, stream.settings.input_topic, 0, [with_raw_name(1)])
    await stream.publish([*good, *bad])
    await stream.drained(len(good) + len(bad) + 2)  # that record, and the marker behind it
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        os.kill(worker.pid, number)
    await until(lambda: worker.text.count("tasks") >= 2, "two dumps")

    shown = {**await pages(port), **await commands(stream)}
    assert await asyncio.to_thread(worker.stop, STOP_S)
    said = await letters(stream)
    assert said.keys() == DEAD_BY_DATA
    assert sum(map(len, (await stream.results()).values())) >= len(good) // 2
    assert collector.taken
    shown |= {reason: "\n".join(texts) for reason, texts in said.items()}
    shown["spans"] = "\n".join(map(str, collector.taken))
    assert_quotes_nothing(shown)
    assert_log_is_clean(worker, form)


@pytest.mark.parametrize(("bug", "form"), [*((bug, "json") for bug in BUGS), ("in_source", "console")])
async def test_a_bug_that_quotes_claims_is_told_by_its_place(
    stream: Stream, collector: Collector, bug: str, form: str
) -> None:
    records = stories(MEMBERS)
    worker = faulty(stream, bug, form)
    await stream.publish(records)

    async def is_over() -> bool:
        return worker.exit_code is not None or await stream.committed() == len(records)

    await until(is_over, f"the end of it; the worker said:\n{worker.text}")
    await asyncio.to_thread(worker.stop, STOP_S)
    assert_log_is_clean(worker, form)
    said = await letters(stream)
    shown = {**await commands(stream), "letters": str(said), "spans": "\n".join(map(str, collector.taken))}
    assert_quotes_nothing(shown)
    assert said.keys() == {"internal_error"} or re.search(
        r"markers_launch.py|KeyError|UserWarning", worker.text
    )


def faulty(stream: Stream, bug: str, form: str) -> Worker:
    command = stream.command("run", traces="otlp", log_level="debug", log_format=form, patience_s=1.0)
    command = [part for part in command if part not in {"-m", "worker", "run"}]
    return stream.process([*command, str(LAUNCHER), bug])


async def test_a_lost_broker_a_fenced_worker_and_a_rebalance_quote_nothing(
    new_broker: NewBroker, prefix: str, tmp_path: Path
) -> None:
    settings = {**QUICK, "batch_max_records": 1, "log_level": "debug"}
    records = stories(range(1, 41))
    broker = await asyncio.to_thread(Fragile, new_broker)
    with ExitStack() as ending:
        stream = Stream(broker.bootstrap, prefix, tmp_path, ending, **settings)
        await stream.create_topics()
        workers = [stream.worker() for _ in range(2)]
        await work(stream, records[:80], 0)
        frozen, other = workers
        os.kill(frozen.pid, signal.SIGSTOP)
        await work(stream, records[80:140], 80)
        os.kill(frozen.pid, signal.SIGCONT)
        await broker.kill()
        await broker.revive()
        await work(stream, records[140:], 140)
        other.kill()
        await asyncio.to_thread(frozen.stop, STOP_S)
        assert await stream.results()
        for worker in workers:
            assert_log_is_clean(worker, "json")


async def work(stream: Stream, records: Sequence[Input], before: int) -> None:
    await stream.publish(records)
    await stream.drained(before + len(records))
