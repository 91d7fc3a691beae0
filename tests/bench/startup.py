"""How long ``mms-worker run`` takes from its process's start to the first JoinGroup: printed, never asserted.

Run ``python -m tests.bench.startup [--runs 5]``. The broker is a real Kafka whose advertised address is that
of a relay; it reads request types on the wire: what is measured is what a broker sees.
"""

from __future__ import annotations

import asyncio
import os
import threading
from argparse import ArgumentParser
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import monotonic

from rich.console import Console

from worker.devkit.kafka import KafkaBroker
from worker.devkit.local import LocalWorker, create_topics, local_settings
from worker.devkit.ports import LOOPBACK, free_ports

JOIN_GROUP = 11
"""ApiKey of JoinGroup in Kafka's protocol."""
TARGET_SECONDS = 2.0
PATIENCE_SECONDS = 30.0


class Relay:
    """Passes bytes between clients and the broker, and tells when a client sends a JoinGroup."""

    def __init__(self, port: int, broker_port: int) -> None:
        self.port = port
        self.joined = threading.Event()
        self.joined_at = 0.0
        self._broker_port = broker_port
        self._listening = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True).start()
        self._listening.wait()

    async def _serve(self) -> None:
        async with await asyncio.start_server(self._connect, LOOPBACK, self.port) as server:
            self._listening.set()
            await server.serve_forever()

    async def _connect(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        try:
            broker, to_broker = await asyncio.open_connection(LOOPBACK, self._broker_port)
        except OSError:
            to_client.close()
            return
        await asyncio.gather(
            self._requests(client, to_broker), self._answers(broker, to_client), return_exceptions=True
        )

    async def _requests(self, client: asyncio.StreamReader, to_broker: asyncio.StreamWriter) -> None:
        try:
            while True:
                size = await client.readexactly(4)
                request = await client.readexactly(int.from_bytes(size))
                if int.from_bytes(request[:2]) == JOIN_GROUP and not self.joined.is_set():
                    self.joined_at = monotonic()
                    self.joined.set()
                to_broker.write(size + request)
        finally:
            to_broker.close()

    async def _answers(self, broker: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        try:
            while answer := await broker.read(1 << 16):
                to_client.write(answer)
        finally:
            to_client.close()


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    console = Console(highlight=False)
    broker_port, relay_port = free_ports(2)
    relay = Relay(relay_port, broker_port)
    advertised = {"advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{relay_port}"}
    with (
        TemporaryDirectory() as directory,
        KafkaBroker(Path(directory), port=broker_port, settings=advertised) as broker,
    ):
        create_topics(broker, local_settings(broker.bootstrap))
        took = [seconds_to_join(relay, Path(directory)) for _ in range(options.runs)]
    for number, seconds in enumerate(took, 1):
        console.print(f"run {number}: {seconds:.2f} s from process start to JoinGroup")
    console.print(f"median {median(took):.2f} s; target: below {TARGET_SECONDS:.0f} s on an idle machine")
    console.print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", style="dim")


def seconds_to_join(relay: Relay, directory: Path) -> float:
    """Start a worker, wait for its JoinGroup, and stop it. Raises TimeoutError when none comes."""
    relay.joined.clear()
    start = monotonic()
    worker = LocalWorker(local_settings(f"{LOOPBACK}:{relay.port}"), directory)
    try:
        if not relay.joined.wait(PATIENCE_SECONDS):
            raise TimeoutError(
                f"no JoinGroup in {PATIENCE_SECONDS:.0f} s; it said:\n{worker.log.read_text()}"
            )
        return relay.joined_at - start
    finally:
        worker.stop()


if __name__ == "__main__":
    main()
