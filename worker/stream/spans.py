"""Spans by OTLP over HTTP, sent by a thread of the SDK. Needs the extra ``tracing``.

Names are those of OpenTelemetry's semantic conventions for messaging and Kafka.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, overload

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.environment_variables import (
    OTEL_BSP_MAX_EXPORT_BATCH_SIZE,
    OTEL_BSP_MAX_QUEUE_SIZE,
    OTEL_EXPORTER_OTLP_PROTOCOL,
    OTEL_EXPORTER_OTLP_TRACES_PROTOCOL,
    OTEL_SPAN_LINK_COUNT_LIMIT,
)
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanContext, SpanKind, StatusCode, TraceFlags

import worker
from worker.stream.errors import Refused
from worker.stream.traceparent import origin

if TYPE_CHECKING:
    from aiokafka import ConsumerRecord
    from opentelemetry.sdk.trace import SpanProcessor

    from worker.settings import Settings

SERVICE = "mms-adjudication-worker"
PROTOCOL = "http/protobuf"
OFFSET = "messaging.kafka.offset"

CLOSE_S = 1.0
"""How long the spans that are left may take."""
QUEUED_LINKS = 100_000
"""Links that may wait while there is no collector; each takes some 800 bytes."""
SENT_LINKS = 20_000
"""Links in one request; each takes some 70 bytes, and collectors refuse what is too large."""


class Spans:
    """Makes a span of each batch; see ``Tracing``."""

    def __init__(self, settings: Settings, processor: SpanProcessor | None = None) -> None:
        """Send spans, unless ``processor`` takes them.

        Raises Refused where a standard variable cannot be followed.
        """
        self._settings = settings
        self._name = f"process {settings.input_topic}"
        try:
            self._provider = TracerProvider(
                resource=_resource(),
                span_limits=_limits(settings),
                # The SDK would wait for the collector at the end of the process, for up to half a minute.
                shutdown_on_exit=False,
            )
            self._provider.add_span_processor(processor or _sending(settings))
        except ValueError as error:
            raise Refused(f"the OTEL_ variables of MMS_TRACES=otlp cannot be followed: {error}") from error
        self._tracer = self._provider.get_tracer("worker.stream", worker.__version__)

    def batch(
        self, records: Sequence[ConsumerRecord], began_ns: int, error: BaseException | None = None
    ) -> None:
        """One span for a batch that was decided and committed, or failed with ``error``."""
        if not records:
            return
        first = records[0]
        span = self._tracer.start_span(
            self._name,
            Context(),  # a trace of its own: a batch has as many causes as it has records
            SpanKind.CONSUMER,
            {
                "messaging.system": "kafka",
                "messaging.operation.name": "process",
                "messaging.operation.type": "process",
                "messaging.destination.name": first.topic,
                "messaging.destination.partition.id": str(first.partition),
                "messaging.consumer.group.name": self._settings.app_id,
                "messaging.batch.message_count": len(records),
                OFFSET: first.offset,
            },
            _Links(records),
            start_time=began_ns,
        )
        if error is not None:
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(StatusCode.ERROR)  # without a description: an exception's text may quote a claim
        span.end(time.time_ns())

    async def close(self) -> None:
        """Send what is buffered, for no longer than ``CLOSE_S``."""
        # The SDK's own shutdown takes no deadline. What is left of it does not keep the process.
        closing = threading.Thread(target=self._provider.shutdown, name="traces-closing", daemon=True)
        closing.start()
        await asyncio.to_thread(closing.join, CLOSE_S)


class _Links(Sequence[Link]):
    """The links of a batch, made when they are asked for: a span that is not sampled asks for none."""

    def __init__(self, records: Sequence[ConsumerRecord]) -> None:
        self._records = records

    def __iter__(self) -> Iterator[Link]:
        for record in self._records:
            if (sent := origin(record.headers)) is not None:
                trace_id, span_id, flags = sent
                context = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags))
                yield Link(context, {OFFSET: record.offset})

    def __len__(self) -> int:
        return len(self._records)

    @overload
    def __getitem__(self, index: int) -> Link: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Link]: ...
    def __getitem__(self, index: int | slice) -> Link | Sequence[Link]:
        return list(self)[index]


def _resource() -> Resource:
    own = {"service.name": SERVICE, "service.version": worker.__version__}
    return Resource.create({**own, **OTELResourceDetector().detect().attributes})


def _limits(settings: Settings) -> SpanLimits:
    is_set = OTEL_SPAN_LINK_COUNT_LIMIT in os.environ
    return SpanLimits(max_links=None if is_set else settings.batch_max_records)


def _sending(settings: Settings) -> BatchSpanProcessor:
    variables = (OTEL_EXPORTER_OTLP_TRACES_PROTOCOL, OTEL_EXPORTER_OTLP_PROTOCOL)
    protocol = next(filter(None, map(os.environ.get, variables)), PROTOCOL)
    if protocol != PROTOCOL:
        raise ValueError(f"the protocol is {PROTOCOL}, and not {protocol}")
    queued = max(2, QUEUED_LINKS // settings.batch_max_records)
    sent = max(1, SENT_LINKS // settings.batch_max_records)
    return BatchSpanProcessor(
        OTLPSpanExporter(),
        max_queue_size=None if OTEL_BSP_MAX_QUEUE_SIZE in os.environ else min(queued, 2048),
        max_export_batch_size=None if OTEL_BSP_MAX_EXPORT_BATCH_SIZE in os.environ else min(sent, 512),
    )
