"""What both Faust contestants share: the app with its settings, topics of bytes, and the process."""

from __future__ import annotations

import faust

from tests.bench.field.peers.configuration import Configuration

HALF_A_MILLISECOND = 0.0005
"""Faust holds timestamps as seconds and cuts off when it turns them into milliseconds; what is stored would
often be one less than the cause's."""


def application(given: Configuration) -> faust.App:
    """An app with settings for throughput."""
    return faust.App(
        given.group,
        broker=f"kafka://{given.bootstrap}",
        datadir=given.state,
        store="memory://",
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=4 << 20,
        broker_max_poll_records=5000,
        broker_commit_every=5000,
        broker_commit_interval=1.0,
        stream_buffer_maxsize=16_384,
        stream_wait_empty=False,
        stream_recovery_delay=0.0,
        producer_acks=-1,
        producer_compression_type="zstd",
        producer_linger=0.005,
        producer_max_batch_size=512 << 10,
        topic_partitions=given.partitions,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
    )


def raw_topic(app: faust.App, name: str) -> faust.TopicT:
    """A topic whose keys and values are bytes, as they come."""
    return app.topic(name, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")


def run(app: faust.App) -> None:
    """Run the app until SIGTERM; ends the process."""
    worker = faust.Worker(app, quiet=True, loglevel="ERROR", redirect_stdouts=False)
    worker.spinner = None  # it writes to the terminal, quiet or not
    worker.execute_from_commandline()
