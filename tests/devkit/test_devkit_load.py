"""The endless load: what it sends, at which rate, and how it ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from tests.stream.streamkit import Stream, until
from worker.adjudication.claim import DOCUMENTED, EXPIRED, SUBMITTED, VOIDED
from worker.adjudication.decode import Rejected, decode
from worker.devkit.dates import WITHIN_DAYS, Recent, utc_today
from worker.devkit.generator import events, histories
from worker.devkit.load import BAD_EVERY, records
from worker.devkit.oracle import expected_of
from worker.devkit.ports import free_ports
from worker.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import NewBroker

SAMPLE = 3_000
WITHIN = 60
TODAY = date(2026, 11, 22)
OVERDUE_DAYS = 60
"""Since when a pend is an alert: MmsPendOverdue."""
TRACEPARENT = re.compile(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-01")


def plain(seed: int, count: int = SAMPLE) -> list[bytes]:
    return [record.plain for record in islice(records(seed), count)]


def test_one_seed_gives_the_same_load_and_another_seed_another():
    assert plain(5) == plain(5)
    ids = [{orjson.loads(value)["id"] for value in plain(seed, BAD_EVERY - 1)} for seed in (5, 6)]
    assert not ids[0] & ids[1]


def test_the_load_has_all_kinds_of_events_and_few_records_that_break_the_contract():
    decoded = [decode(value) for value in plain(5)]
    assert sum(isinstance(one, Rejected) for one in decoded) < 2 * SAMPLE / BAD_EVERY
    good = [record.event for record in islice(records(5), SAMPLE) if record.event is not None]
    assert {event["type"] for event in good} == {SUBMITTED, VOIDED, DOCUMENTED, EXPIRED}
    assert len(good) == SAMPLE - SAMPLE // BAD_EVERY


def test_every_reason_of_a_dead_letter_that_a_producer_can_cause_is_met():
    sent = [(record.key, record.plain) for record in islice(records(5), SAMPLE)]
    reasons = expected_of(sent, Settings()).dead_letters
    assert set(reasons) == {
        "undecodable", "contract", "unknown_type", "key_mismatch", "unknown_claim", "id_conflict",
    }  # fmt: skip
    assert reasons.total() < SAMPLE / 20  # far from the breaker's limit


def dates(event: dict[str, Any]) -> list[date]:
    """Those of an event, in the order of its fields."""
    data = event["data"]
    found = [data[name] for name in ("received_date", "expired_date") if name in data]
    return [
        date.fromisoformat(day) for day in [*found, *(line["service_date"] for line in data.get("lines", []))]
    ]


def moved(day: date = TODAY) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Histories as they are generated, each event beside itself as it was on that day."""
    recent = Recent(lambda: day)
    return [(event, recent.moved(event)) for event in histories(SAMPLE, 5, strays=True)]


def test_one_seed_and_one_day_give_the_same_load_and_the_next_day_has_newer_dates():
    first, same, next_day = (
        [one.plain for one in islice(records(5, today=lambda day=day: day), SAMPLE)]
        for day in (TODAY, TODAY, TODAY + timedelta(days=1))
    )
    assert first == same
    assert max(re.findall(rb"\d{4}-\d{2}-\d{2}\"", b"".join(next_day))) == b'2026-11-23"'


@pytest.mark.parametrize("day", [TODAY, date(2024, 2, 29), date(2021, 1, 1)])
def test_no_date_is_after_today_and_no_service_or_claim_is_older_than_a_few_weeks(day: date) -> None:
    oldest = day - timedelta(days=WITHIN_DAYS)
    all_dates = [one for _, event in moved(day) for one in dates(event)]
    assert (min(all_dates), max(all_dates)) == (oldest, day)


def test_distances_within_a_claims_life_stay_as_long_as_nothing_would_come_after_today():
    by: dict[str, set[timedelta]] = {}
    capped = kept = 0
    for before, after in moved():
        for old, new in zip(dates(before), dates(after), strict=True):
            if new == TODAY:
                capped += 1
            else:
                kept += 1
                by.setdefault(before["data"]["claim_id"], set()).add(new - old)
    assert len(by) > SAMPLE / 4
    assert all(len(moves) == 1 for moves in by.values())
    assert all(move.days % 7 == 0 for moves in by.values() for move in moves)
    assert capped < kept / 4


def test_what_a_member_was_billed_for_one_day_stays_on_one_day():
    days: dict[tuple[str, date], set[date]] = {}
    for before, after in moved():
        for old, new in zip(before["data"].get("lines", []), after["data"].get("lines", []), strict=True):
            key = before["data"]["member_id"], date.fromisoformat(old["service_date"])
            days.setdefault(key, set()).add(date.fromisoformat(new["service_date"]))
    assert all(len(one) == 1 for one in days.values())


def test_nothing_but_dates_is_moved_and_the_given_event_stays_as_it_was():
    for before, after in moved():
        kept = json_without_dates(before)
        assert json_without_dates(after) == kept
    first, again = (next(events(1, 5)) for _ in range(2))
    Recent(lambda: TODAY).moved(first)
    assert first == again


def json_without_dates(event: dict[str, Any]) -> bytes:
    return re.sub(rb'"\d{4}-\d{2}-\d{2}"', b'""', orjson.dumps(event))


def test_an_event_that_comes_again_after_midnight_is_the_same_event():
    days = [TODAY, TODAY + timedelta(days=1)]
    recent = Recent(lambda: days[0])
    sent = list(histories(SAMPLE, 5))
    evening = [recent.moved(event) for event in sent]
    days.pop(0)
    assert [recent.moved(event) for event in sent] == evening


def test_no_claim_of_a_load_that_begins_has_been_pended_for_so_long_that_it_is_an_alert():
    sent = [(record.key, record.plain) for record in islice(records(5), SAMPLE)]
    claims = {
        event.data.claim_id: event.data.received_date
        for event in (decode(value) for _, value in sent)
        if not isinstance(event, Rejected) and event.type == SUBMITTED
    }
    pended = {
        result["claim_id"]
        for result in map(orjson.loads, expected_of(sent, Settings()).results.values())
        if result["outcome"] == "pend"
    }
    assert len(pended) > SAMPLE / 50
    assert utc_today() - min(claims[claim] for claim in pended) < timedelta(days=OVERDUE_DAYS / 2)


async def test_so_many_records_are_sent_and_decided_with_time_and_trace_of_their_own(stream: Stream) -> None:
    began = datetime.now(UTC)
    worker = stream.worker()
    load = stream.process(stream.command("devkit", "load", "--rate", "1000", "--count", "500"))
    assert await load.ended() == 0
    assert "sent 500 records" in load.text
    await stream.drained(500)
    await until(lambda: worker.metric('mms_transactions_total{result="committed"}'), "a commit")

    sent = [one for lane in (await stream.read(stream.settings.input_topic)).values() for one in lane]
    traces = [dict(one.headers)["traceparent"] for one in sent]
    assert all(map(TRACEPARENT.fullmatch, traces))
    assert len(set(traces)) == len(sent) == 500
    results = [one for lane in (await stream.results()).values() for one in lane]
    assert {dict(one.headers)["traceparent"] for one in results} < set(traces)
    times = [datetime.fromisoformat(dict(one.headers)["ce_time"].decode()) for one in results]
    assert began.replace(microsecond=0) <= min(times)
    assert max(times) <= datetime.now(UTC)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_when_all_that_was_sent_has_arrived(stream: Stream, number: int) -> None:
    load = stream.process(stream.command("devkit", "load", "--rate", "200"))

    async def arrived() -> int:
        return sum(map(len, (await stream.read(stream.settings.input_topic)).values()))

    await until(arrived, "the first records")
    os.kill(load.pid, number)
    assert await load.ended() == 0
    told = re.search(r"sent (\d+) records", load.text)
    assert told is not None
    assert await arrived() == int(told[1])


async def test_a_load_whose_broker_is_gone_ends_when_it_is_told_to(
    new_broker: NewBroker, tmp_path: Path
) -> None:
    broker = new_broker().start()
    with ExitStack() as ending:
        stream = Stream(broker.bootstrap, "load", tmp_path, ending, request_timeout_s=60)
        await stream.create_topics()
        load = stream.process(stream.command("devkit", "load"))

        async def arrived() -> int:
            return sum(map(len, (await stream.read(stream.settings.input_topic)).values()))

        await until(arrived, "the first records")
        broker.kill()
        os.kill(load.pid, signal.SIGTERM)
        assert await load.ended() in {0, 1}  # 0 when nothing was on its way


def test_brokers_that_do_not_answer_are_told_in_one_line():
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "worker", "devkit", "load", "--bootstrap", f"127.0.0.1:{port}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WITHIN, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f"127.0.0.1:{port}" in done.stderr
