"""``mms-worker replay --push``: what a real Pushgateway is told, and what becomes of a replay without one."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread

import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.grafana.pushgateway import Pushgateway
from tests.replay.replaykit import Case, made_up, write
from tests.replay.samples import reproduced, what_if
from tests.replay.test_replay_interrupting import wait_for
from tests.stream.killing import events
from tests.stream.streamkit import Stream
from worker.devkit.ports import LOOPBACK, free_ports
from worker.replay.output.metrics import (
    FILES,
    JOB,
    VERDICTS,
    Ended,
    PushError,
    families,
    push,
    registry_of,
    require_gateway,
)
from worker.replay.running.working import STATE
from worker.settings import Settings

PATIENCE_S = 120.0
PREFIX = "mms_replay_"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pushgateway]:
    running = Pushgateway(tmp_path_factory.mktemp("pushgateway"))
    try:
        asyncio.run(running.ready())
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def case() -> Case:
    return made_up(300, seed=6, members=40)


def started(directory: Path, *options: str, **variables: str) -> subprocess.Popen[str]:
    """``mms-worker replay`` into the folder ``out``."""
    return subprocess.Popen(
        [sys.executable, "-m", "worker", "replay", "--out", "out", "--processes", "1", *options],
        cwd=directory,
        env={"PYTHONPATH": str(Path.cwd()), "PATH": os.environ["PATH"], **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=PATIENCE_S)
    return process.returncode, out, err


def replay(directory: Path, case: Case, url: str) -> tuple[int, str, str]:
    """A replay of the case's files."""
    write(directory, case)
    files = ("--events", "events.jsonl", "--results", "results.jsonl")
    return ended(started(directory, *files, "--push", url))


def held(gateway: Pushgateway, topic: str = FILES) -> Mapping[str, float]:
    """What the gateway holds of the topic's last replay: values by name, of results by verdict."""
    group = {"job": JOB, "topic": topic, "instance": ""}
    connection = HTTPConnection(gateway.address, timeout=PATIENCE_S)
    with closing(connection):
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    found = {}
    for family in text_string_to_metric_families(text):
        for name, labels, value, *_ in family.samples:
            if name.startswith(PREFIX) and group.items() <= labels.items():
                left = {label: of for label, of in labels.items() if label not in group}
                found[left.pop("verdict", name.removeprefix(PREFIX))] = value
                assert not left
    return found


def counts(directory: Path) -> Mapping[str, int]:
    told: Mapping[str, int] = orjson.loads((directory / "out" / "summary.json").read_bytes())["counts"]
    return told


def tampered(case: Case) -> Case:
    """One result that its own digests do not match."""
    first, *rest = case.results
    return Case(case.events, [first.replace(b'"revision":1', b'"revision":7', 1), *rest])


def without_the_last(case: Case) -> Case:
    return Case(case.events, case.results[:-1])


def with_the_last_twice(case: Case) -> Case:
    return Case(case.events, [*case.results, case.results[-1]])


@pytest.mark.parametrize(
    ("change", "code", "differing"),
    [
        (lambda case: case, 0, {}),
        (tampered, 1, {"tampered": 1}),
        (without_the_last, 1, {"missing": 1}),
        (with_the_last_twice, 1, {"extra": 1}),
    ],
    ids=["reproduced", "tampered", "missing", "extra"],
)
def test_the_gateway_is_told_what_was_found_and_zero_of_all_else(
    tmp_path: Path,
    gateway: Pushgateway,
    case: Case,
    change: Callable[[Case], Case],
    code: int,
    differing: dict[str, int],
) -> None:
    begun = datetime.now(UTC).timestamp()
    done = replay(tmp_path, change(case), gateway.url)
    assert (done[0], done[2]) == (code, "")
    told = dict(held(gateway))
    assert begun < told.pop("completed_timestamp_seconds") < datetime.now(UTC).timestamp()
    assert told.pop("duration_seconds") > 0
    found = counts(tmp_path)
    assert found["events_replayed"] == len(case.events)
    assert told == {
        "exit_code": code,
        "events": len(case.events),
        **dict.fromkeys(VERDICTS, 0),
        "reproduced": found["reproduced"],
        **differing,
    }


def test_a_run_without_a_verdict_leaves_its_exit_code_and_time_and_nothing_of_the_run_before(
    tmp_path: Path, gateway: Pushgateway, case: Case
) -> None:
    assert replay(tmp_path, case, gateway.url)[0] == 0
    before = held(gateway)["completed_timestamp_seconds"]
    code, _, err = replay(tmp_path, case, gateway.url)  # the folder is not empty any more
    assert (code, err.count("\n")) == (2, 1)
    told = held(gateway)
    assert told.keys() == {"exit_code", "duration_seconds", "completed_timestamp_seconds"}
    assert told["exit_code"] == 2
    assert told["completed_timestamp_seconds"] > before


async def test_a_replay_of_topics_is_kept_under_its_input_topic(
    stream: Stream, gateway: Pushgateway, tmp_path: Path
) -> None:
    await stream.publish(events(200, 31, 40))
    worker = stream.worker()
    await stream.drained(200)
    worker.stop(20)
    process = stream.process(stream.command("replay", "--out", str(tmp_path / "out"), "--push", gateway.url))
    assert await process.ended() == 0, process.text
    told = held(gateway, stream.settings.input_topic)
    assert (told["exit_code"], told["events"]) == (0, 200)
    assert told["reproduced"] == sum(map(len, (await stream.results()).values()))


def test_a_topic_is_known_before_any_broker_answers(tmp_path: Path, gateway: Pushgateway) -> None:
    (port,) = free_ports(1)
    options = ("--bootstrap", f"{LOOPBACK}:{port}", "--push", gateway.url)
    code, _, err = ended(started(tmp_path, *options, MMS_INPUT_TOPIC="claims.told-apart"))
    assert code == 2
    assert "warning" not in err
    assert held(gateway, "claims.told-apart")["exit_code"] == 2
    assert not held(gateway, Settings.model_fields["input_topic"].default)


def test_without_valid_settings_there_is_no_topic_to_push_for(tmp_path: Path, gateway: Pushgateway) -> None:
    code, _, err = ended(started(tmp_path, "--push", gateway.url, MMS_PARTITIONS="many"))
    assert code == 2
    fault, warning = err.splitlines()
    assert "MMS_PARTITIONS" in fault
    assert warning.startswith(f"mms-worker: warning: nothing was pushed to {gateway.url}: without valid")


def test_an_interrupted_run_is_not_told(tmp_path: Path, gateway: Pushgateway) -> None:
    """It is gone on with, and has not ended."""
    write(tmp_path, made_up(3000))
    push(gateway.url, FILES, Ended(0, 1.0, datetime.now(UTC), None))
    before = held(gateway)
    files = ("--events", "events.jsonl", "--results", "results.jsonl")
    process = started(tmp_path, *files, "--push", gateway.url)
    wait_for(lambda: any(tmp_path.glob(f"out/{STATE}/*rows*")))
    process.send_signal(signal.SIGINT)
    assert ended(process)[0] == 130
    assert held(gateway) == before


@pytest.mark.parametrize(("change", "code"), [(lambda case: case, 0), (tampered, 1)])
def test_a_gateway_that_is_down_is_told_of_in_a_line_and_changes_no_exit_code(
    tmp_path: Path, case: Case, change: Callable[[Case], Case], code: int
) -> None:
    (port,) = free_ports(1)
    url = f"http://{LOOPBACK}:{port}"
    done, out, err = replay(tmp_path, change(case), url)
    assert done == code
    assert "manifest  SHA-256 " in out
    assert err == f"mms-worker: warning: nothing was pushed to {url}: Connection refused\n"


def test_a_gateway_that_refuses_is_told_of_with_its_answer(
    tmp_path: Path, gateway: Pushgateway, case: Case
) -> None:
    url = f"{gateway.url}/elsewhere"
    code, _, err = replay(tmp_path, case, url)
    assert code == 0
    assert err == f"mms-worker: warning: nothing was pushed to {url}: it answered 404 Not Found\n"


def test_a_gateway_that_is_silent_is_not_waited_for_for_ever() -> None:
    with socket.create_server((LOOPBACK, 0)) as silent:
        url = f"http://{LOOPBACK}:{silent.getsockname()[1]}"
        with pytest.raises(PushError, match="it did not answer in time"):
            push(url, FILES, Ended(0, 1.0, datetime.now(UTC), None), timeout_s=0.1)


def test_a_gateway_that_is_none_is_told_of_like_one_that_is_down() -> None:
    with pytest.raises(PushError):
        push("http://no..host:9091", FILES, Ended(0, 1.0, datetime.now(UTC), None))
    with socket.create_server((LOOPBACK, 0)) as other:
        answering = Thread(target=answer_nonsense, args=[other])
        answering.start()
        url = f"http://{LOOPBACK}:{other.getsockname()[1]}"
        with pytest.raises(PushError, match="it does not speak HTTP"):
            push(url, FILES, Ended(0, 1.0, datetime.now(UTC), None))
        answering.join()


def answer_nonsense(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(65_536)
        connection.sendall(b"SSH-2.0-other\r\n")


BAD_URLS = {
    "": "give http",
    "gateway:9091": "give http",
    "ftp://gateway:9091": "give http",
    "http://": "give http",
    "http://:9091": "give http",
    "http://gateway:0": "give http",
    "http://gateway:port": "not valid",
    "http://gateway:99999": "not valid",
    "http://[::1": "not valid",
    "http://me:hush@gateway:9091": "password",
    "http://me@gateway:9091": "password",
    "http://gateway:9091/?a=b": "no more than",
    "http://gateway:9091/#a": "no more than",
    "http://gate way:9091": "no more than",
}


@pytest.mark.parametrize("url", BAD_URLS)
def test_what_is_no_address_of_a_gateway_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ValueError, match=BAD_URLS[url]) as refused:
        require_gateway(url)
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize("url", ["http://gateway:9091", "https://gateway", "http://[::1]:9091/push/"])
def test_an_address_with_or_without_port_and_path_is_one(url: str) -> None:
    require_gateway(url)


def test_a_bad_address_ends_the_command_before_anything_is_done(tmp_path: Path, case: Case) -> None:
    code, out, err = replay(tmp_path, case, "http://me:hush@gateway:9091")
    assert (code, out) == (2, "")
    assert err.startswith("mms-worker: --push: it must not hold a user or a password")
    assert "hush" not in err
    assert not (tmp_path / "out").exists()


def test_every_value_of_every_label_is_there_whatever_was_found() -> None:
    for summary in (reproduced(), what_if()):
        registry = registry_of(Ended(1, 2.5, datetime.now(UTC), summary.counts))
        for verdict in VERDICTS:
            expected = summary.counts.results_by_cause.get(verdict, 0)
            if verdict == "reproduced":
                expected = summary.counts.reproduced
            assert registry.get_sample_value(f"{PREFIX}results", {"verdict": verdict}) == expected


def test_families_are_those_that_dashboards_and_rules_may_name() -> None:
    assert families() == {
        "mms_replay_exit_code": ("topic",),
        "mms_replay_duration_seconds": ("topic",),
        "mms_replay_completed_timestamp_seconds": ("topic",),
        "mms_replay_events": ("topic",),
        "mms_replay_results": ("topic", "verdict"),
    }
