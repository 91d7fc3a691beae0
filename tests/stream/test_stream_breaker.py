"""What a worker stops for, or sets aside, can be gone on with: nothing is lost and nothing comes twice."""

from __future__ import annotations

import asyncio
from pathlib import Path

import orjson

from tests.adjudication.historykit import MEMBER, claim
from tests.stream.letterkit import redrive
from tests.stream.oracle import decided
from tests.stream.streamkit import PARTITIONS, Input, Stream, claims, partition, placed, until
from worker.adjudication.claim import SUBMITTED

LAUNCHER = Path(__file__).with_name("launch_with_bug.py")


def submitted(id_: str, data: dict[str, object]) -> Input:
    envelope = {"specversion": "1.0", "id": id_, "source": "/tests", "type": SUBMITTED}
    return Input(MEMBER.encode(), orjson.dumps({**envelope, "data": data}))


async def test_behind_the_breaker_a_worker_that_may_goes_on_and_each_record_is_set_aside_once(
    stream: Stream,
) -> None:
    spoiled = [record._replace(value=b"{%d" % number) for number, record in enumerate(claims(300, seed=28))]
    good = claims(20, seed=29)
    careful = stream.worker(dead_letter_limit=0.5, dead_letter_least_records=10, batch_max_records=20)
    await careful.ready()
    await stream.publish([*good, *spoiled])
    assert await careful.ended() == 3
    (stop,) = careful.said("worker stops")
    assert stop["exit_code"] == 3
    assert "are dead letters, above the share of 0.5 that MMS_DEAD_LETTER_LIMIT allows" in stop["reason"]
    before = await stream.committed()
    assert before < len(good) + len(spoiled)
    assert sum(map(len, (await stream.dead_letters()).values())) <= before // 2 + PARTITIONS

    stream.worker(dead_letter_limit=1.0)
    await stream.drained(len(good) + len(spoiled))
    letters, results = await stream.dead_letters(), await stream.results()
    for number in range(PARTITIONS):
        bad, fine = placed(spoiled)[number], placed(good)[number]
        assert [letter.value for letter in letters[number]] == [record.value for record in bad]
        assert [result.value for result in results[number]] == decided(*fine)


async def test_a_claim_that_met_a_bug_leaves_no_trace_and_is_decided_when_it_is_redriven_to_a_repaired_worker(
    stream: Stream,
) -> None:
    """The claims decide each other: pathology, and the Mohs claim of its day that meets the bug."""
    pathology = submitted("e-1", claim("C-1", "88305"))
    broken = submitted("e-2", claim("C-2", "17311"))
    after = submitted("e-3", claim("C-3", "17313 on 2026-03-02", diagnoses=["C44.519"]))
    place = partition(broken)
    command = [part for part in stream.command("run") if part not in {"-m", "worker", "run"}]
    faulty = stream.process([*command, str(LAUNCHER), "C-2"])
    await stream.publish([pathology, broken, after])
    await stream.drained(3)
    assert faulty.exit_code is None
    assert [result.value for result in (await stream.results())[place]] == decided(pathology, after)
    (letter,) = (await stream.dead_letters())[place]
    assert dict(letter.headers)["mms.dlq.reason"] == b"internal_error"
    faulty.stop(10)

    stream.worker()
    done = await redrive(stream, "--reason", "internal_error")
    assert done.returncode == 0, done.stdout
    await stream.drained(4)
    expected = decided(pathology, after, broken)
    assert len(expected) == 4  # the pathology again, now that it belongs to a Mohs service
    assert [result.value for result in (await stream.results())[place]] == expected


async def test_a_worker_that_the_breaker_has_stopped_can_be_scraped_before_it_exits(stream: Stream) -> None:
    worker = stream.worker(
        dead_letter_limit=0.5, dead_letter_least_records=10, batch_max_records=20, breaker_hold_s=600.0
    )
    await worker.ready()
    assert await worker.metric("mms_breaker_open") == 0
    await stream.publish([record._replace(value=b"{") for record in claims(300, seed=34)])

    async def is_told() -> bool:
        return await worker.metric("mms_breaker_open") == 1

    await until(is_told, "the breaker to be told of")
    status, body = await worker.get("/readyz")
    assert (status, orjson.loads(body)["waiting_for"]) == (503, ["a person: the breaker has stopped it"])
    assert (await worker.get("/livez"))[0] == 200
    assert await worker.metric("mms_ready") == await worker.metric("mms_working_partitions") == 0
    async with stream.administration() as client:
        (group,) = (await client.describe_consumer_groups([stream.settings.app_id]))[0].groups
    assert group[1:3] == (stream.settings.app_id, "Empty")

    await asyncio.to_thread(worker.stop, 20)
    assert worker.exit_code == 3
