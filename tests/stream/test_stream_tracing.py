"""Traces: a span a batch with a link a record, by OTLP from a real worker, and never in its way."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import orjson
import pytest
from aiokafka import ConsumerRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from tests.stream.otlp import Collector, collecting, plain
from tests.stream.streamkit import Input, Stream, claims, placed, until
from worker.devkit.ports import free_ports
from worker.settings import Settings
from worker.stream.errors import Refused
from worker.stream.spans import Spans
from worker.stream.traceparent import Origin, origin
from worker.stream.tracing import Off, tracing_of

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
GOOD = f"00-{TRACE}-{PARENT}-01".encode()
ORIGIN = Origin(int(TRACE, 16), int(PARENT, 16), 1)
LAUNCHER = Path(__file__).with_name("markers_launch.py")
RUN_S = 60.0
STOP_S = 20.0
MOST_COMPLAINTS = 5

TRACEPARENTS: dict[str, tuple[bytes | None, Origin | None]] = {
    "as W3C has it": (GOOD, ORIGIN),
    "not sampled by its sender": (GOOD[:-1] + b"0", ORIGIN._replace(flags=0)),
    "of a later version": (b"01" + GOOD[2:], ORIGIN),
    "of a later version, with more behind it": (b"01" + GOOD[2:] + b"-what", ORIGIN),
    "with more behind it": (GOOD + b"-what", None),
    "of the version that there is not": (b"ff" + GOOD[2:], None),
    "trace of zeros": (b"00-" + b"0" * 32 + GOOD[35:], None),
    "span of zeros": (GOOD[:36] + b"0" * 16 + b"-01", None),
    "capital letters": (GOOD.upper(), None),
    "a byte short": (GOOD[:-1], None),
    "a line break at the end": (GOOD + b"\n", None),
    "spaces around it": (b" " + GOOD + b" ", None),
    "other digits": (GOOD.replace(b"0", "\u0660".encode()), None),
    "not UTF-8": (b"\xff" * 55, None),
    "a text": (b"member MBR-1", None),
    "very long": (b"01" + GOOD[2:] + b"-" * 100_000, None),
    "empty": (b"", None),
    "null": (None, None),
}


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as one:
        yield one


def record(offset: int, *headers: tuple[str, bytes | None]) -> ConsumerRecord:
    return ConsumerRecord("claims", 3, offset, 0, 0, b"MBR-1", b"{}", None, 5, 2, headers)


def traced(count: int) -> list[ConsumerRecord]:
    return [record(number, ("traceparent", GOOD)) for number in range(count)]


def told(
    records: Sequence[ConsumerRecord], error: BaseException | None = None, **settings: int
) -> tuple[ReadableSpan, ...]:
    """The spans that a batch makes."""
    exporter = InMemorySpanExporter()
    made = Settings(input_topic="claims", app_id="group", **settings)
    Spans(made, SimpleSpanProcessor(exporter)).batch(records, time.time_ns(), error)
    return exporter.get_finished_spans()


@pytest.mark.parametrize(("value", "expected"), TRACEPARENTS.values(), ids=TRACEPARENTS)
def test_a_traceparent_is_read_as_w3c_has_it_or_not_at_all(
    value: bytes | None, expected: Origin | None
) -> None:
    assert origin([("traceparent", value)]) == expected


def test_of_several_traceparents_the_last_one_counts() -> None:
    assert origin([("traceparent", b"00"), ("other", b""), ("traceparent", GOOD)]) == ORIGIN
    assert origin([("traceparent", GOOD), ("traceparent", b"00")]) is None
    assert origin([("Traceparent", GOOD)]) is None
    assert origin([]) is None


def test_a_batch_is_a_span_that_says_where_it_lies() -> None:
    began = time.time_ns()
    (span,) = told([record(7), record(9, ("traceparent", GOOD))])
    assert (span.name, span.kind, span.parent) == ("process claims", SpanKind.CONSUMER, None)
    assert span.attributes == {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "claims",
        "messaging.destination.partition.id": "3",
        "messaging.consumer.group.name": "group",
        "messaging.batch.message_count": 2,
        "messaging.kafka.offset": 7,
    }
    (link,) = span.links
    assert (link.context.trace_id, link.context.span_id) == (ORIGIN.trace_id, ORIGIN.span_id)
    assert link.attributes == {"messaging.kafka.offset": 9}
    assert began <= (span.start_time or 0) <= (span.end_time or 0)
    assert span.status.status_code == StatusCode.UNSET


def test_of_an_error_a_span_has_the_type_and_no_text() -> None:
    (span,) = told([record(7)], KeyError("MBR-1"))
    assert (span.attributes or {})["error.type"] == "KeyError"
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, None)
    assert not span.events
    assert "MBR-1" not in span.to_json()


def test_a_batch_of_nothing_makes_no_span() -> None:
    assert told([]) == ()


def test_each_record_of_the_largest_batch_has_its_link() -> None:
    (span,) = told(traced(1000))
    assert (len(span.links), span.dropped_links) == (1000, 0)
    (span,) = told(traced(300), batch_max_records=200)
    assert (len(span.links), span.dropped_links) == (200, 100)


def test_the_standard_limit_of_links_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SPAN_LINK_COUNT_LIMIT", "5")
    (span,) = told(traced(9))
    assert len(span.links) == 5


def test_a_batch_that_is_not_sampled_makes_no_link(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    monkeypatch.setattr("worker.stream.spans.origin", pytest.fail)
    assert told(traced(9)) == ()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("OTEL_SPAN_LINK_COUNT_LIMIT", "many", "OTEL_SPAN_LINK_COUNT_LIMIT must be"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "the protocol is http/protobuf, and not grpc"),
        ("OTEL_BSP_SCHEDULE_DELAY", "-1", "schedule_delay_millis must be positive"),
    ],
)
def test_a_standard_variable_that_cannot_be_followed_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(Refused, match=said) as refused:
        tracing_of(Settings(traces="otlp"))
    assert "\n" not in str(refused.value)


async def test_spans_are_sent_when_it_closes(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.namespace=claims")
    tracing = tracing_of(Settings(traces="otlp"))
    tracing.batch(traced(2), time.time_ns())
    await tracing.close()
    (span,) = collector.spans
    assert len(span.links) == 2
    (resource,) = collector.resources
    assert (resource["service.name"], resource["service.namespace"]) == ("mms-adjudication-worker", "claims")


async def test_closing_does_not_wait_for_a_collector_that_does_not_answer(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
    collector.answering.clear()
    tracing = tracing_of(Settings(traces="otlp"))
    tracing.batch(traced(2), time.time_ns())
    await tracing.close()
    assert collector.taken == []


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment}, capture_output=True, text=True, timeout=RUN_S, check=False,
    )  # fmt: skip


def test_off_imports_nothing_of_opentelemetry() -> None:
    done = python(
        "import sys; from worker.settings import Settings; from worker.stream.app import run_worker;"
        "from worker.stream.tracing import tracing_of; tracing = tracing_of(Settings());"
        "print(type(tracing).__name__, [name for name in sys.modules if 'opentelemetry' in name])"
    )
    assert done.stdout == "Off []\n", done.stderr


async def test_off_does_nothing() -> None:
    tracing = tracing_of(Settings())
    assert isinstance(tracing, Off)
    tracing.batch(traced(1), 0)
    await tracing.close()


@pytest.fixture
def without_extra(tmp_path: Path) -> dict[str, str]:
    """An environment whose Python has no OpenTelemetry."""
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['opentelemetry'] = None\n")
    return {"PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])}


def put(monkeypatch: pytest.MonkeyPatch, environment: Mapping[str, str]) -> None:
    """Have the workers that start from now on find these variables."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


def sent(records: Sequence[Input]) -> list[Input]:
    """The records with a trace each, all different."""
    return [
        one._replace(headers=[("traceparent", f"00-{number:032x}-{number:016x}-01".encode())])
        for number, one in enumerate(records, 1)
    ]


def traces(records: Iterable[ConsumerRecord]) -> list[bytes | None]:
    return [value for one in records for name, value in one.headers if name == "traceparent"]


async def test_a_worker_sends_a_span_a_batch_and_a_link_a_record(
    stream: Stream, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(monkeypatch, collector.environment())
    records = sent(claims(60, seed=61))
    records[10:20] = [one._replace(value=b"{") for one in records[10:20]]
    await stream.publish(records)
    worker = stream.worker(traces="otlp", batch_max_records=7)
    await stream.drained(len(records))

    await until(lambda: counted(collector.spans) == len(records), "a span of each batch")
    spans = collector.spans
    assert await worker.metric("mms_batch_records_count") == len(spans)
    by_place = placed(records)
    found = {}
    for span in spans:
        said = plain(span.attributes)
        assert said["messaging.destination.name"] == stream.settings.input_topic
        assert said["messaging.kafka.offset"] == plain(span.links[0].attributes)["messaging.kafka.offset"]
        assert len(span.links) == said["messaging.batch.message_count"] <= 7
        assert 0 < span.start_time_unix_nano < span.end_time_unix_nano
        for link in span.links:
            place = int(said["messaging.destination.partition.id"]), link_offset(link)
            found[place] = f"00-{link.trace_id.hex()}-{link.span_id.hex()}-01".encode()
    assert found == {
        (number, offset): one.headers[0][1]
        for number, there in by_place.items()
        for offset, one in enumerate(there)
    }

    results, letters = await stream.results(), await stream.dead_letters()
    for number, there in by_place.items():
        good = [one.headers[0][1] for one in there if one.value != b"{"]
        bad = [one.headers[0][1] for one in there if one.value == b"{"]
        assert (traces(results[number]), traces(letters[number])) == (good, bad)


async def test_a_batch_that_fails_is_a_span_with_the_type_of_its_error(
    stream: Stream, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(monkeypatch, collector.environment())
    command = stream.command("run", traces="otlp", patience_s=1.0)
    command = [part for part in command if part not in {"-m", "worker", "run"}]
    worker = stream.process([*command, str(LAUNCHER), "in_sending"])
    await stream.publish(claims(1, seed=64))
    assert await worker.ended() == 1
    spans = collector.spans
    assert {plain(span.attributes)["error.type"] for span in spans} == {"ExceptionGroup"}
    assert {(span.status.code, span.status.message) for span in spans} == {(Status.STATUS_CODE_ERROR, "")}


def counted(spans: Iterable[Span]) -> int:
    return sum(plain(span.attributes)["messaging.batch.message_count"] for span in spans)


def link_offset(link: Span.Link) -> int:
    return int(plain(link.attributes)["messaging.kafka.offset"])


async def test_without_the_extra_a_worker_that_is_to_trace_is_refused_in_a_line(
    stream: Stream, without_extra: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(monkeypatch, without_extra)
    worker = stream.worker(traces="otlp")
    assert await worker.ended() == 2
    (stop,) = worker.said("worker stops")
    assert stop["reason"] == (
        "MMS_TRACES=otlp needs OpenTelemetry, which is not installed: "
        "pip install 'mms-adjudication-worker[tracing]'"
    )
    assert "Traceback" not in worker.text


async def test_without_the_extra_a_worker_that_does_not_trace_works(
    stream: Stream, without_extra: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(monkeypatch, without_extra)
    stream.worker()
    await stream.publish(claims(3, seed=62))
    await stream.drained(3)


@pytest.mark.parametrize("collectors", ["none", "refusing", "silent"])
async def test_a_collector_that_takes_nothing_is_not_in_the_way(
    stream: Stream, collector: Collector, monkeypatch: pytest.MonkeyPatch, collectors: str
) -> None:
    environment = collector.environment()
    if collectors == "none":
        environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{free_ports(1)[0]}"
    elif collectors == "refusing":
        collector.status = 400
    else:
        collector.answering.clear()
    put(monkeypatch, environment)
    worker = stream.worker(traces="otlp", batch_max_records=1)
    records = sent(claims(300, seed=63))
    for first in range(0, len(records), 100):
        await stream.publish(records[first : first + 100])
        await stream.drained(first + 100)
    if collectors == "refusing":
        await until(lambda: len(collector.requests) >= 3, "three requests")
    assert await asyncio.to_thread(worker.stop, STOP_S)
    assert worker.exit_code == 0
    assert worker.said("worker stopped")
    complaints = [line for line in map(orjson.loads, worker.text.splitlines()) if is_of_a_library(line)]
    assert len({line["event"] for line in complaints}) == len(complaints) <= MOST_COMPLAINTS
    assert [line["level"] for line in map(orjson.loads, worker.text.splitlines())].count("critical") == 0


def is_of_a_library(line: dict[str, str]) -> bool:
    return line["logger"].partition(".")[0] in {"opentelemetry", "urllib3", "requests"}
