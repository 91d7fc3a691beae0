"""Who takes part, what each of them guarantees, and how it is started."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from tests.bench.field import streams
from tests.bench.field.judging import Judged
from tests.bench.inputs import BUILD
from tests.stream.streamkit import Stream
from worker.devkit.jars import kafka_jars, kafka_version
from worker.devkit.process import run

OURS = "ours"
QUIX_PYTHON = str(BUILD / "quix-env" / "bin" / "python")
ALO, EOS = "at least once", "exactly once"
IN_MEMORY, IN_CHANGELOG = "memory", "changelog"
VERSION_S = 30.0


class Contestant(NamedTuple):
    """One of the field."""

    name: str
    version: Callable[[], str]
    guarantee: str
    history: str
    """Where members' histories are kept; what is in memory alone is lost with the process."""
    command: Callable[[Stream, Path], list[str]]
    """How it is started, given its settings and a directory for its state."""
    share: float = 1.0
    """Of the input's events and members. A slow one is given fewer of both: each record costs the same."""
    warm_up: float = 1.0
    """Times the usual number of events that it decides before it is measured."""
    judged: Judged = "bytes"
    has_latency: bool = False
    """Whether its latency is measured too."""


def environment(stream: Stream, state: Path) -> dict[str, str]:
    """What a contestant is told, but for the worker, which has settings of its own."""
    settings = stream.settings
    return {
        "BENCH_BOOTSTRAP": settings.bootstrap_servers,
        "BENCH_INPUT": settings.input_topic,
        "BENCH_RESULTS": settings.results_topic,
        "BENCH_CHANGELOG": settings.changelog_topic,
        "BENCH_GROUP": settings.app_id,
        "BENCH_PARTITIONS": str(settings.partitions),
        "BENCH_STATE": str(state),
    }


def started_with(variables: Mapping[str, str], command: list[str]) -> list[str]:
    """The command with these variables, and none that the worker would take for its own."""
    return ["env", *(f"{name}={value}" for name, value in variables.items()), *command]


def _peer(module: str, python: str = sys.executable, **more: str) -> Callable[[Stream, Path], list[str]]:
    def command(stream: Stream, state: Path) -> list[str]:
        arguments = [python, "-m", f"tests.bench.field.peers.{module}"]
        return started_with({**environment(stream, state), **more}, arguments)

    return command


def _ours(stream: Stream, _state: Path) -> list[str]:
    return stream.command("run")


def _kafka_streams(stream: Stream, state: Path) -> list[str]:
    return started_with(environment(stream, state), streams.command())


def _of_package(name: str) -> Callable[[], str]:
    return lambda: version(name)


def _of_quix() -> str:
    asked = "from importlib.metadata import version; print(version('quixstreams'))"
    return run([QUIX_PYTHON, "-c", asked], VERSION_S).stdout.strip()


def _of_kafka() -> str:
    return kafka_version(kafka_jars())


_CONFLUENT, _FAUST = _of_package("confluent-kafka"), _of_package("faust-streaming")

CONTESTANTS = (
    Contestant(OURS, _of_package("mms-adjudication-worker"), EOS, IN_CHANGELOG, _ours, has_latency=True),
    Contestant("aiokafka_send", _of_package("aiokafka"), ALO, IN_MEMORY, _peer("aiokafka_send")),
    Contestant("confluent_loop", _CONFLUENT, ALO, IN_MEMORY, _peer("confluent_loop")),
    Contestant("confluent_transactions", _CONFLUENT, EOS, IN_MEMORY, _peer("confluent_transactions")),
    Contestant("confluent_changelog", _CONFLUENT, EOS, IN_CHANGELOG, _peer("confluent_changelog")),
    Contestant("bytewax_flow", _of_package("bytewax"), ALO, IN_MEMORY, _peer("bytewax_flow")),
    Contestant(
        "quix_alo",
        _of_quix,
        ALO,
        IN_MEMORY,
        _peer("quix_app", QUIX_PYTHON, BENCH_GUARANTEE="at-least-once"),
    ),
    Contestant(
        "quix_eos",
        _of_quix,
        EOS,
        IN_MEMORY,
        _peer("quix_app", QUIX_PYTHON, BENCH_GUARANTEE="exactly-once"),
    ),
    Contestant("faststream_handler", _of_package("faststream"), ALO, IN_MEMORY, _peer("faststream_handler")),
    Contestant("faust_agent", _FAUST, ALO, IN_MEMORY, _peer("faust_agent"), share=0.25),
    Contestant("faust_table", _FAUST, ALO, IN_CHANGELOG, _peer("faust_table"), share=0.25),
    Contestant(
        "kafka_streams",
        _of_kafka,
        EOS,
        IN_CHANGELOG,
        _kafka_streams,
        warm_up=5.0,  # before that it is its compiler that is measured
        judged="causes",
        has_latency=True,
    ),
)


def chosen(names: str | None) -> tuple[Contestant, ...]:
    """Those named, with commas between them, and the worker, whom all are compared with; or all.

    Raises ValueError when there is no such contestant.
    """
    if names is None:
        return CONTESTANTS
    wanted = {OURS, *names.split(",")}
    unknown = wanted - {one.name for one in CONTESTANTS}
    if unknown:
        known = ", ".join(one.name for one in CONTESTANTS)
        raise ValueError(f"no contestant is called {', '.join(sorted(unknown))}; there are {known}")
    return tuple(one for one in CONTESTANTS if one.name in wanted)
