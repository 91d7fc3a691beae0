"""``python -m tests.chaos``: faults drawn from a seed, and the proof that nothing is lost and nothing twice.

Exit code 0 when every invariant holds; 1 with one line for each that does not; 2 where it cannot be run.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import signal
import sys
import tempfile
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Sequence
from pathlib import Path
from subprocess import TimeoutExpired

from aiokafka.errors import KafkaError
from rich.console import Console

from tests.chaos.faults import plan
from tests.chaos.outcome import judge
from tests.chaos.report import print_plan, print_report
from tests.chaos.run import Options, run
from worker.devkit.jars import BrokerError, PrerequisiteError
from worker.stream.errors import Refused

OK, BROKEN, UNFIT, INTERRUPTED = 0, 1, 2, 130
LONGEST_MINUTES = 60
"""In the end everything there is is read into memory: 1.6 GB for half an hour, as measured."""
FAILURES = (BrokerError, Refused, AssertionError, RuntimeError, TimeoutExpired, KafkaError)
"""What ends a run before its end: the cluster, a restore, a wait or the project's own command fails."""
WIDTH = 110
"""Columns that the tables take where nobody says how many there are."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it as these arguments ask, or those of the process; returns the exit code."""
    given = _given(arguments)
    asked = Options(given.seed, given.minutes, given.kills)
    console = Console(highlight=False)
    console.width = max(console.width, WIDTH)
    if given.plan:
        print_plan(plan(*asked), console)
        return OK
    directory = Path(tempfile.mkdtemp(prefix="mms-chaos-"))
    # What clients say of brokers that are down is no news here.
    logging.basicConfig(filename=directory / "harness.log", format="%(asctime)s %(name)s %(message)s")
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        code = _run(asked, directory, console)
    except PrerequisiteError as missing:
        code = _say(str(missing), UNFIT)
    except KeyboardInterrupt:
        shutil.rmtree(directory, ignore_errors=True)
        return _say("interrupted: everything is stopped", INTERRUPTED)
    except FAILURES as failed:
        code = _say(f"the run did not come to its end: {failed}", BROKEN)
    except Exception:
        _kept(directory)
        raise
    if code == BROKEN or given.keep:
        _kept(directory)
    else:
        shutil.rmtree(directory, ignore_errors=True)
    return code


def _run(asked: Options, directory: Path, console: Console) -> int:
    outcome = judge(asyncio.run(run(asked, directory, lambda line: console.print(line, markup=False))))
    print_report(outcome, console)
    for line in outcome.violations:
        _say(line, BROKEN)
    return BROKEN if outcome.violations else OK


def _kept(directory: Path) -> None:
    _say(f"logs and data are kept in {directory}", BROKEN)


def _say(what: str, code: int) -> int:
    sys.stderr.write(f"chaos: {what}\n")
    return code


def _given(arguments: Sequence[str] | None) -> Namespace:
    parser = ArgumentParser(
        prog="python -m tests.chaos", description=__doc__.partition("\n")[0] if __doc__ else None
    )
    parser.add_argument("--seed", type=int, default=7, help="the same seed, the same plan and records")
    parser.add_argument("--minutes", type=_minutes, default=1.0, help="how long faults are injected")
    parser.add_argument(
        "--kills", type=_count, default=0, help="least number of kills, of workers and brokers"
    )
    parser.add_argument("--plan", action="store_true", help="print the plan and do nothing")
    parser.add_argument("--keep", action="store_true", help="keep logs and data though all is well")
    return parser.parse_args(arguments)


def _minutes(text: str) -> float:
    minutes = float(text)
    if not 0 < minutes <= LONGEST_MINUTES:
        raise ArgumentTypeError(f"{text} is not above 0 and at most {LONGEST_MINUTES}")
    return minutes


def _count(text: str) -> int:
    count = int(text)
    if count < 0:
        raise ArgumentTypeError(f"{text} is below 0")
    return count


if __name__ == "__main__":
    sys.exit(main())
