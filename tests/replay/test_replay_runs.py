"""The command as it is run: interrupted and gone on with, verified against its topics, refused in a line."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from tests.replay.replaykit import Case, made_up, write
from tests.stream.streamkit import claims, until
from worker.replay.output.manifest import OUTPUTS
from worker.replay.running.working import STATE, ShardFiles

if TYPE_CHECKING:
    from asyncio.subprocess import Process

    from tests.stream.streamkit import Stream

PATIENCE_S = 120.0
CLAIMS = 300
ROOT = str(Path.cwd())


async def started(command: list[str], directory: Path | None = None) -> Process:
    return await asyncio.create_subprocess_exec(
        *command, cwd=directory, env={**os.environ, "PYTHONPATH": ROOT}, stdout=PIPE, stderr=PIPE
    )


async def end_of(process: Process) -> tuple[int, str, str]:
    """Exit code, and what it said on standard output and error."""
    async with asyncio.timeout(PATIENCE_S):
        out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def ended(command: list[str], directory: Path | None = None) -> tuple[int, str, str]:
    return await end_of(await started(command, directory))


def names_in(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


async def cut_results(stream: Stream) -> None:
    """Take the first result of partition 0 away."""
    place = TopicPartition(stream.settings.results_topic, 0)
    async with stream.administration() as client:
        await client.delete_records({place: RecordsToDelete(1)})


async def test_topics_are_read_again_when_that_is_asked_for(stream: Stream, tmp_path: Path) -> None:
    await stream.publish(claims(CLAIMS))
    worker = stream.worker()
    await stream.drained(CLAIMS)
    worker.kill()
    out = tmp_path / "out"
    code, said, err = await ended(stream.command("replay", "--out", str(out)))
    assert (code, err) == (0, "")
    assert said.startswith("reproduced: every published result\n")
    manifest = orjson.loads((out / "manifest.json").read_bytes())
    events = [one for one in manifest["inputs"] if one["role"] == "events"]
    assert sum(one["records"] for one in events) == CLAIMS
    verify = stream.command("replay", "verify", str(out))
    code, said, _ = await ended(verify)
    assert code == 0
    assert "8 inputs were not checked" in said
    code, said, _ = await ended([*verify, "--inputs"])
    assert code == 0
    assert "verified: 12 of 12 match\n" in said
    await cut_results(stream)
    code, said, _ = await ended([*verify, "--inputs"])
    assert code == 1
    assert "not verified: 1 of 12 does not match\n" in said


def replay(directory: Path, *options: str) -> list[str]:
    files = ("--events", str(directory / "events.jsonl"), "--results", str(directory / "results.jsonl"))
    return [sys.executable, "-m", "worker", "replay", *files, *options]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_an_interrupted_replay_ends_with_the_bytes_of_one_that_was_not(
    tmp_path: Path, number: signal.Signals
) -> None:
    case = made_up(2000)
    write(tmp_path, Case(case.events, case.results[:700] + case.results[701:]))
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert (await ended(replay(tmp_path, "--out", str(whole))))[0] == 1
    command = replay(tmp_path, "--out", str(parts))
    process = await started([*command, "--processes", "1"])
    await until(ShardFiles(parts, 0).rows.exists, "the first of four shards to be replayed")
    process.send_signal(number)
    code, out, err = await end_of(process)
    assert (code, out) == (128 + number, "")
    assert "--resume" in err
    assert names_in(parts) == [STATE]
    code, said, _ = await ended([*command, "--resume"])
    assert code == 1
    assert said.startswith("differs: 1 result\n")
    for name in OUTPUTS:
        assert (parts / name).read_bytes() == (whole / name).read_bytes()


async def test_a_replay_with_other_evidence_is_not_gone_on_with(tmp_path: Path) -> None:
    events, _ = write(tmp_path, made_up(2000))
    out = tmp_path / "out"
    command = replay(tmp_path, "--out", str(out))
    process = await started([*command, "--processes", "1"])
    await until(ShardFiles(out, 0).rows.exists, "the first of four shards to be replayed")
    process.terminate()
    await end_of(process)
    events.write_bytes(events.read_bytes() + b"\n")
    code, _, err = await ended([*command, "--resume"])
    assert code == 2
    assert "was asked for or with something else" in err
    assert len(err.splitlines()) == 1


FILES = ("--events", "e", "--results", "r")
USAGE = {
    "no folder": ((), "--out"),
    "events without results": (("--out", "o", "--events", "e"), "--events needs --results"),
    "results without events": (("--out", "o", "--results", "r"), "--results needs --events"),
    "files and topics": (("--out", "o", *FILES, "--bootstrap", "127.0.0.1:1"), "not both"),
    "no such file": (("--out", "o", *FILES), "e: No such file"),
    "no such time": (("--out", "o", *FILES, "--from", "noon"), "--from noon"),
    "nobody there": (("--out", "o", "--bootstrap", "127.0.0.1:1"), "127.0.0.1:1"),
    "nothing to go on with": (("--out", "o", "--resume"), "no replay was interrupted here"),
    "a file as folder": (("--out", sys.executable), "--out names a folder"),
    "a folder in use": (("--out", "/"), "not empty"),
}


@pytest.mark.parametrize("fault", USAGE)
async def test_what_cannot_be_replayed_is_told_before_anything_is_done(tmp_path: Path, fault: str) -> None:
    arguments, told = USAGE[fault]
    code, out, err = await ended([sys.executable, "-m", "worker", "replay", *arguments], tmp_path)
    assert (code, out) == (2, "")
    assert told in err
    assert names_in(tmp_path) == []
