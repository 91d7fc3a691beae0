"""What all of it was measured on."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from subprocess import TimeoutExpired

from msgspec import Struct

from tests.bench.field.cores import siblings
from worker.devkit.process import run

CPUINFO = Path("/proc/cpuinfo")
GIT_S = 10.0


class Machine(Struct):
    """The machine, and how busy it is with others."""

    cpu: str
    cores: int
    kernel: str
    python: str
    broker: str
    librdkafka: str
    siblings: list[str]
    """The processors of each physical core, as Linux lists them; none if unknown."""
    load_average: float
    """Of the minute before the first run."""


def machine(broker: str, librdkafka: str) -> Machine:
    """This machine; ``broker`` is what it is, in words."""
    return Machine(
        cpu=_cpu(),
        cores=os.cpu_count() or 1,
        kernel=platform.release(),
        python=platform.python_version(),
        broker=broker,
        librdkafka=librdkafka,
        siblings=siblings(),
        load_average=round(os.getloadavg()[0], 2),
    )


def _cpu() -> str:
    """The processor's model, and the numbers that tell it from others of the same name."""
    if not CPUINFO.exists():
        return platform.processor() or platform.machine()
    told: dict[str, str] = {}
    for line in CPUINFO.read_text().splitlines():
        name, _, value = line.partition(":")
        told.setdefault(name.strip(), value.strip())
    model = told.get("model name", platform.machine())
    return f"{model} (family {told['cpu family']}, model {told['model']})" if "cpu family" in told else model


def commit() -> str | None:
    """The checkout's commit, with ``+changes`` if files that it knows differ; None where there is none."""
    try:
        head = run(["git", "rev-parse", "HEAD"], GIT_S)
        # Without the lock that others may hold, or wait for.
        changed = run(["git", "--no-optional-locks", "status", "--porcelain", "-uno"], GIT_S)
    except (OSError, TimeoutExpired):
        return None
    if head.returncode or changed.returncode:
        return None
    return head.stdout.strip() + ("+changes" if changed.stdout.strip() else "")
