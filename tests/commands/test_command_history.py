"""``mms-worker history show``: what is held of a member, as it was last published."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from aiokafka import TopicPartition

from tests.adjudication.historykit import (
    MEMBER,
    Ledger,
    claim,
    documentation,
    events,
    expiry,
    ledger_of,
    reference,
    void,
)
from tests.stream.streamkit import Stream
from worker.adjudication import Adjudicated, Limits, Rejected, adjudicate, decode
from worker.adjudication.stored import VERSION
from worker.commands.console import screen
from worker.commands.history import NOTICE, Found, described, render
from worker.devkit.generator import histories
from worker.devkit.kafka import KafkaBroker
from worker.devkit.ports import LOOPBACK, free_ports
from worker.stream.deciding import partition_of
from worker.stream.outgoing import Outgoing
from worker.stream.topics import ABSENT
from worker.stream.transactions.producer import TransactionalProducer

STORY = ledger_of(
    events(
        claim("C-1", "17311", "88305"),
        claim("C-2", "17311", original="C-1", frequency="7", received="2026-05-06"),
        claim("C-3", "17313 @A on 2026-03-02", diagnoses=["C44.519"], undecided="A"),
        documentation("C-3", "2026-05-20", immunosuppressed=False),
        claim("C-4", "17313 @A on 2026-03-09", diagnoses=["C44.519"], undecided="A"),
        expiry("C-4"),
        claim("C-5", "17311 on 2026-02-02", "17312 on 2026-02-03"),
        void("C-5"),
    )
)
"""A claim that was replaced, one that waits for records, one whose time for them is over, one made void."""


async def keep(stream: Stream, states: Mapping[str, bytes | None], partition: int | None = None) -> None:
    """Write stored histories to the changelog as lanes do, each to its member's partition or to that one."""
    for member, state in states.items():
        key = member.encode()
        number = partition_of(key, stream.settings.partitions) if partition is None else partition
        place = TopicPartition(stream.settings.input_topic, number)
        producer = TransactionalProducer(place, stream.settings)
        await producer.start()
        record = Outgoing(key, state, 1_700_000_000_000, [])
        await producer.commit({stream.settings.changelog_topic: [record]}, 0)
        await producer.close()


async def history(
    *arguments: str, topic: str = "history", **environment: str
) -> subprocess.CompletedProcess[str]:
    """``mms-worker history`` with the worker's settings at their defaults but for the topic."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MMS_")}
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "worker", "history", *arguments],
        env=clean | {"MMS_CHANGELOG_TOPIC": topic, "COLUMNS": "120"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


async def show(
    stream: Stream, member: str, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    given = ("--bootstrap", stream.settings.bootstrap_servers, *arguments)
    return await history("show", member, *given, topic=stream.settings.changelog_topic, **environment)


def refusal(done: subprocess.CompletedProcess[str], code: int) -> str:
    """The one line that says why there is nothing to show."""
    assert done.returncode == code, done
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("mms-worker: ")
    return line


def assert_is_published(told: dict[str, Any], ledger: Ledger) -> None:
    """Of every claim what is told is what its last result says."""
    for one in told["claims"]:
        result = ledger.published[one["claim_id"]]
        assert (one["outcome"], one["revision"], one["result_id"]) == (
            result.outcome,
            result.revision,
            result.result_id,
        )
        assert [line["decision"] for line in one["lines"]] == [line.decision for line in result.lines]
        if one["standing"] == "stands":
            assert [line["line"] for line in one["lines"]] == [line.line for line in result.lines]


async def test_a_members_claims_are_shown_as_they_were_last_published(stream: Stream) -> None:
    assert STORY.history is not None
    await keep(stream, {MEMBER: b"old", "MBR-2": b"another's"})
    await keep(stream, {MEMBER: STORY.history})

    done = await show(stream, MEMBER, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    told = orjson.loads(done.stdout)
    assert told["notice"] == NOTICE
    assert (told["member_id"], told["bytes"], told["events"]) == (MEMBER, len(STORY.history), 8)
    assert_is_published(told, STORY)
    first, second, third, fourth, fifth = told["claims"]
    assert {name: first[name] for name in ("claim_id", "standing", "outcome", "lines", "service_dates")} == {
        "claim_id": "C-1", "standing": "superseded", "outcome": "void", "lines": [],
        "service_dates": ["2026-04-28"],
    }  # fmt: skip
    assert second == {
        "claim_id": "C-2", "frequency_code": "7", "original_claim_id": "C-1", "received_date": "2026-05-06",
        "service_dates": ["2026-04-28"], "standing": "stands", "expired": False,
        "documentation_received": [], "events": 1, "revision": 1, "outcome": "pay",
        "result_id": STORY.published["C-2"].result_id, "lines": [{"line": 1, "decision": "pay"}],
    }  # fmt: skip
    assert (third["outcome"], third["documentation_received"], third["events"]) == ("pend", ["2026-05-20"], 2)
    assert (fourth["outcome"], fourth["expired"]) == ("deny", True)
    assert (fifth["standing"], fifth["service_dates"]) == ("voided", ["2026-02-03"])


async def test_a_person_is_told_first_that_it_is_phi(stream: Stream) -> None:
    await keep(stream, {MEMBER: STORY.history})
    done = await show(stream, MEMBER)
    assert (done.returncode, done.stderr) == (0, "")
    notice, *lines = done.stdout.splitlines()
    assert notice == NOTICE
    said = "\n".join(lines)
    for part in (
        f"Member {MEMBER}",
        "claims held: 5, events: 8",
        "Claim C-1   VOID\n  received 2026-05-04, service 2026-04-28\n  superseded by a replacement\n",
        "Claim C-2   PAY\n  replaces claim C-1\n",
        "Claim C-3   PEND\n  received 2026-05-04, service 2026-03-02\n  records received 2026-05-20\n",
        "  the time for records has run out\n  in force\n  revision 2, result ",
        "  line 1 deny\n",
        "Claim C-5   VOID\n",
    ):
        assert part in said


def test_an_id_cannot_speak_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    ledger = ledger_of(events(claim("[bold]\x1b[2J:dog:[/]", "17311")))
    assert ledger.history is not None
    render(described("MBR\x07", Found(ledger.history, "history", 0)), screen())
    said = capsys.readouterr().out
    assert "Claim [bold]\N{REPLACEMENT CHARACTER}[2J:dog:[/]   PAY" in said
    assert "Member MBR\N{REPLACEMENT CHARACTER}" in said


def test_whatever_is_held_is_told_as_it_was_published() -> None:
    """Members with many claims and all kinds of events, and little room: some claims are not held."""
    states: dict[str, bytes] = {}
    ledger = Ledger(published={})
    for made in histories(400, 5, 8):
        what = decode(orjson.dumps(made))
        assert not isinstance(what, Rejected), what
        member = what.data.member_id
        answer = adjudicate(what, states.get(member), reference(), Limits(max_bytes=12_000))
        assert isinstance(answer, Adjudicated)
        ledger = ledger._replace(
            published={**ledger.published, **{one.claim_id: one for one in answer.results}}
        )
        states[member] = answer.history or states[member]
    standings = set()
    for member, state in states.items():
        told = described(member, Found(state, "history", 0))
        assert_is_published(told, ledger)
        standings |= {one["standing"] for one in told["claims"]}
        orjson.dumps(told)
        render(told, screen())
    assert standings == {"stands", "superseded", "voided", "unheld"}


async def test_where_events_need_not_lie_where_their_key_belongs_every_history_of_a_member_is_shown(
    stream: Stream,
) -> None:
    anywhere = {"MMS_KEY_PARTITION_CHECK": "false"}
    own = partition_of(MEMBER.encode(), 4)
    *others, empty = [number for number in range(4) if number != own]
    first = ledger_of(events(claim("C-9", "17311"))).history
    await keep(stream, {MEMBER: first}, others[0])
    await keep(stream, {MEMBER: STORY.history}, others[1])
    await keep(stream, {"MBR-2": STORY.history}, empty)
    assert "no history of that member" in refusal(await show(stream, MEMBER), 1)

    done = await show(stream, MEMBER, "--json", **anywhere)
    assert (done.returncode, done.stderr) == (0, "")
    documents = [orjson.loads("{" + one) for one in done.stdout[1:].split("\n{\n")]
    assert [one["partition"] for one in documents] == others
    assert [len(one["claims"]) for one in documents] == [1, 5]
    said = (await show(stream, MEMBER, **anywhere)).stdout
    assert said.count(NOTICE) == 2
    assert said.index("Claim C-9") < said.index("Claim C-1 ")


async def test_a_member_of_whom_nothing_is_held_is_not_found(stream: Stream) -> None:
    await keep(stream, {MEMBER: STORY.history, "MBR-removed": STORY.history})
    await keep(stream, {"MBR-removed": None})
    for member in ("MBR-2", "MBR-removed", ""):
        said = refusal(await show(stream, member), 1)
        assert said.endswith(f"no history of that member is held in {stream.settings.changelog_topic}")


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (
            bytes([VERSION + 1]) + b"C44.311",
            f"has version {VERSION + 1}, this worker knows version {VERSION}",
        ),
        (bytes([VERSION]) + b"C44.311", "the history of that member is damaged"),
    ],
)
async def test_a_history_that_cannot_be_read_is_told_and_not_quoted(
    stream: Stream, state: bytes, why: str
) -> None:
    await keep(stream, {MEMBER: state})
    said = refusal(await show(stream, MEMBER), 2)
    assert why in said
    assert f"partition {partition_of(MEMBER.encode(), 4)} of {stream.settings.changelog_topic}" in said
    assert "C44" not in said


async def test_a_history_of_another_member_that_cannot_be_read_does_not_matter(stream: Stream) -> None:
    others = [f"MBR-{number}" for number in range(2, 12)]
    await keep(stream, {MEMBER: STORY.history} | dict.fromkeys(others, bytes([VERSION + 1])))
    assert (await show(stream, MEMBER, "--json")).returncode == 0


async def test_a_topic_that_does_not_exist_is_told_with_its_setting(kafka: KafkaBroker, prefix: str) -> None:
    done = await history("show", MEMBER, "--bootstrap-servers", kafka.bootstrap, topic=prefix)
    assert refusal(done, 2) == f"mms-worker: topic {prefix} {ABSENT}; see MMS_CHANGELOG_TOPIC"


async def test_brokers_that_cannot_be_reached_are_told_with_how_to_name_others() -> None:
    (port,) = free_ports(1)
    servers = f"{LOOPBACK}:{port}"
    for arguments, environment in (
        (["--bootstrap", servers], {}),
        (["--bootstrap-servers", servers], {}),
        ([], {"MMS_BOOTSTRAP_SERVERS": servers}),
    ):
        said = refusal(await history("show", MEMBER, *arguments, **environment), 2)
        assert said == f"mms-worker: {servers}: Connection refused; see --bootstrap, MMS_BOOTSTRAP_SERVERS"


async def test_an_address_that_is_none_is_told_with_its_setting() -> None:
    assert "MMS_BOOTSTRAP_SERVERS" in refusal(await history("show", MEMBER, "--bootstrap", "nowhere"), 2)


async def test_its_help_says_that_it_shows_phi() -> None:
    for arguments in (("--help",), ("show", "--help")):
        assert "PHI" in (await history(*arguments)).stdout
