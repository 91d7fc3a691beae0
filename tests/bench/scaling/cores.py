"""Which core a process runs on, what it has spent there, and the machine that has them."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import worker.adjudication.decide
from tests.bench.scaling.figures import Machine
from worker.devkit.jars import kafka_jars, kafka_version

T = TypeVar("T")

CORES = sorted(os.sched_getaffinity(0))
MEASURED, OTHER = CORES[:1], CORES[1:2] or CORES[:1]
"""The core of what is measured, and that of broker and bench. With one core they share it."""


@contextmanager
def on(cores: Iterable[int]) -> Iterator[None]:
    """Run on these cores, with all processes that are started meanwhile; those stay there."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def alone(work: Callable[..., T], *arguments: Any) -> T:
    """Have a process of its own do some work, on the measured core."""
    context = get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=_begin) as process:
        return process.submit(work, *arguments).result()


def _begin() -> None:
    os.sched_setaffinity(0, MEASURED)


def machine() -> Machine:
    """This one."""
    return Machine(
        processor=_processor(),
        cores=len(CORES),
        memory_gib=round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1),
        kernel=platform.release(),
        python=platform.python_version(),
        kafka=kafka_version(kafka_jars()),
        is_compiled=is_compiled(),
    )


def is_compiled() -> bool:
    """Whether the rules that this process and the workers import are C."""
    return not str(worker.adjudication.decide.__file__).endswith(".py")


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
