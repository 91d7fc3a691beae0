"""The proxy is invisible until it is told to cut, to delay or to hold a frame."""

from __future__ import annotations

import asyncio
import random
import struct
from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.chaos.conftest import Proxied
from tests.chaos.frames import END_TXN, PRODUCE, Direction
from tests.chaos.proxy import Proxy
from tests.stream.streamkit import until
from worker.devkit.ports import LOOPBACK, free_ports

METADATA = 3
DELAY_S = 0.2


class Client:
    """A client that sends numbered requests and reads the numbers of the responses."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def ask(self, number: int, api_key: int = METADATA, rest: bytes = b"") -> None:
        body = struct.pack(">hhi", api_key, 0, number) + rest
        self.writer.write(struct.pack(">i", len(body)) + body)

    async def answer(self) -> int:
        return int.from_bytes((await self.response())[:4])

    async def response(self) -> bytes:
        """The next response without its length; raises IncompleteReadError or ConnectionError at the end."""
        (length,) = struct.unpack(">i", await self.reader.readexactly(4))
        return await self.reader.readexactly(length)


class Upstream:
    """In a broker's place: it sends every request back as its response, and keeps their numbers."""

    def __init__(self) -> None:
        self.received: list[int] = []
        self.gone = 0
        """Connections that have ended."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                (length,) = struct.unpack(">i", await reader.readexactly(4))
                request = await reader.readexactly(length)
                self.received += struct.unpack_from(">i", request, 4)
                writer.write(struct.pack(">i", length - 4) + request[4:])
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            self.gone += 1
        finally:
            writer.close()


class Route:
    """A proxy before an upstream, and clients of it."""

    def __init__(self) -> None:
        self.upstream = Upstream()
        self.proxy = Proxy(*free_ports(2))
        self._server: asyncio.Server | None = None
        self._clients: list[Client] = []

    async def open(self) -> None:
        await self.proxy.start()
        self._server = await asyncio.start_server(self.upstream.serve, LOOPBACK, self.proxy.upstream)

    async def client(self) -> Client:
        self._clients.append(Client(*await asyncio.open_connection(LOOPBACK, self.proxy.port)))
        return self._clients[-1]

    async def close(self) -> None:
        for client in self._clients:
            client.writer.close()
        if self._server is not None:
            self._server.close()
        await self.proxy.close()


@pytest.fixture
async def route() -> AsyncIterator[Route]:
    made = Route()
    await made.open()
    yield made
    await made.close()


async def assert_reset(client: Client) -> None:
    with pytest.raises(ConnectionResetError):
        await client.response()


async def test_bytes_pass_unchanged_both_ways_however_many_they_are(route: Route) -> None:
    chance = random.Random(1)  # noqa: S311  nothing is guarded by it
    bodies = [chance.randbytes(size) for size in [0, 1, 100_000, 3, 5_000_000, *range(2000), 700_000]]
    client = await route.client()

    async def ask() -> None:
        for number, body in enumerate(bodies):
            client.ask(number, rest=body)
            await client.writer.drain()

    asking = asyncio.create_task(ask())
    for number, body in enumerate(bodies):
        assert await client.response() == struct.pack(">i", number) + body
    await asking


async def test_what_ends_at_one_side_ends_at_the_other_after_what_was_sent(route: Route) -> None:
    client = await route.client()
    client.ask(1)
    client.writer.write_eof()
    client.writer.close()
    await until(lambda: route.upstream.gone, "the upstream to see the end")
    assert route.upstream.received == [1]
    await until(lambda: not route.proxy.links, "the proxy to forget the connection")


async def test_a_client_of_a_broker_that_is_down_is_reset() -> None:
    proxy = Proxy(*free_ports(2))
    await proxy.start()
    try:
        reader, writer = await asyncio.open_connection(LOOPBACK, proxy.port)
        await assert_reset(Client(reader, writer))
        writer.close()
    finally:
        await proxy.close()


async def test_a_cut_resets_what_is_connected_and_what_connects_until_it_is_mended(route: Route) -> None:
    before = await route.client()
    before.ask(1)
    assert await before.answer() == 1

    route.proxy.cut()
    await assert_reset(before)
    await assert_reset(await route.client())
    await until(lambda: route.upstream.gone == 1, "the upstream to lose its one connection")

    route.proxy.mend()
    after = await route.client()
    after.ask(2)
    assert await after.answer() == 2


async def test_delayed_bytes_come_late_and_in_their_order_also_when_the_delay_ends(route: Route) -> None:
    loop = asyncio.get_running_loop()
    client = await route.client()
    client.ask(0)
    assert await client.answer() == 0

    route.proxy.delay, asked = DELAY_S, loop.time()
    client.ask(1)
    await until(lambda: route.upstream.received == [0, 1], "the request to arrive")
    route.proxy.delay, arrived = 0, loop.time()
    assert arrived - asked >= DELAY_S
    assert await client.answer() == 1

    for number in range(2, 20):
        route.proxy.delay = DELAY_S / number if number < 19 else 0
        client.ask(number)
        await client.writer.drain()
        await asyncio.sleep(0)  # the proxy reads each by itself
    assert [await client.answer() for _ in range(2, 20)] == list(range(2, 20))


async def test_a_held_request_keeps_what_is_behind_it_and_nothing_else(route: Route) -> None:
    held = route.proxy.hold(END_TXN, of="request")
    client, other = await route.client(), await route.client()
    client.ask(1)
    client.ask(2, END_TXN, b"the end")
    client.ask(3)
    await held.caught.wait()
    other.ask(4, END_TXN)
    assert await client.answer() == 1
    assert await other.answer() == 4
    assert route.upstream.received == [1, 4]

    held.release()
    assert await client.response() == struct.pack(">i", 2) + b"the end"
    assert await client.answer() == 3
    assert route.upstream.received == [1, 4, 2, 3]


async def test_a_response_is_held_though_its_request_went_through_before(route: Route) -> None:
    client = await route.client()
    for number in range(3):
        client.ask(number, END_TXN)
    assert await client.answer() == 0

    held = route.proxy.hold(END_TXN, of="response")
    client.ask(3, METADATA)
    client.ask(4, END_TXN)
    client.ask(5, METADATA)
    assert [await client.answer() for _ in range(3)] == [1, 2, 3]
    await held.caught.wait()
    await until(lambda: len(route.upstream.received) == 6, "the requests behind it to arrive")
    held.release()
    assert [await client.answer() for _ in range(2)] == [4, 5]


async def test_only_a_frame_that_names_the_topic_is_held(route: Route) -> None:
    held = route.proxy.hold(PRODUCE, of="request", topic="results")
    client = await route.client()
    client.ask(1, PRODUCE, bytes(300_000) + b"others")
    client.ask(2, METADATA, b"results")
    client.ask(3, PRODUCE, bytes(300_000) + b"results")
    client.ask(4)
    assert [await client.answer() for _ in range(2)] == [1, 2]
    await held.caught.wait()
    assert route.upstream.received == [1, 2]

    held.release()
    assert [await client.answer() for _ in range(2)] == [3, 4]


async def test_frames_are_held_in_the_order_in_which_they_were_asked_for(route: Route) -> None:
    first, second = (route.proxy.hold(END_TXN, of="request") for _ in range(2))
    client = await route.client()
    client.ask(1, END_TXN)
    client.ask(2, END_TXN)
    await first.caught.wait()
    assert not second.caught.is_set()
    first.release()
    assert await client.answer() == 1
    await second.caught.wait()
    second.release()
    assert await client.answer() == 2


@pytest.mark.parametrize("of", ["request", "response"])
async def test_a_dropped_frame_never_arrives_and_its_connection_is_reset(route: Route, of: Direction) -> None:
    held = route.proxy.hold(END_TXN, of=of)
    client = await route.client()
    client.ask(1, END_TXN)
    await held.caught.wait()
    held.drop()
    await assert_reset(client)
    await until(lambda: route.upstream.gone, "the upstream to see the end")
    assert route.upstream.received == ([] if of == "request" else [1])

    held.release()  # there is nothing left to forward
    again = await route.client()
    again.ask(2, END_TXN)
    assert await again.answer() == 2


async def test_a_request_that_is_held_arrives_though_its_sender_is_gone(route: Route) -> None:
    held = route.proxy.hold(END_TXN, of="request")
    client = await route.client()
    client.ask(1, END_TXN)
    await held.caught.wait()
    client.writer.transport.abort()
    follower = await route.client()
    follower.ask(2)
    assert await follower.answer() == 2
    assert route.upstream.gone == 0

    held.release()
    await until(lambda: route.upstream.gone == 1, "the upstream to see the end")
    assert route.upstream.received == [2, 1]


async def test_a_cancelled_hold_holds_nothing_and_lets_go_what_it_has(route: Route) -> None:
    never, held = (route.proxy.hold(END_TXN, of="request") for _ in range(2))
    never.cancel()
    client = await route.client()
    client.ask(1, END_TXN)
    await held.caught.wait()
    assert not never.caught.is_set()
    held.cancel()
    assert await client.answer() == 1


async def create_topics(proxied: Proxied, *names: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=proxied.direct)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, 1, 1) for name in names])
    finally:
        await admin.close()


@pytest.mark.parametrize(
    ("of", "is_committed"), [("request", False), ("response", True)], ids=["request", "response"]
)
async def test_a_real_transaction_ends_when_the_held_endtxn_gets_through(
    proxied: Proxied, prefix: str, of: Direction, is_committed: bool
) -> None:
    await create_topics(proxied, prefix)
    topic = TopicPartition(prefix, 0)
    async with (
        AIOKafkaProducer(bootstrap_servers=proxied.bootstrap, transactional_id=prefix) as producer,
        AIOKafkaConsumer(bootstrap_servers=proxied.direct, isolation_level="read_committed") as reader,
    ):
        reader.assign([topic])

        async def stable_end() -> int:
            return int((await reader.end_offsets([topic]))[topic])

        await producer.begin_transaction()
        await producer.send_and_wait(topic.topic, b"value")
        held = proxied.proxy.hold(END_TXN, of=of)
        committing = asyncio.ensure_future(producer.commit_transaction())
        await held.caught.wait()
        if is_committed:
            await until(stable_end, "the commit to be seen")
        assert bool(await stable_end()) == is_committed
        assert not committing.done()

        held.release()
        await committing
        await until(stable_end, "the commit to be seen")


async def test_a_held_batch_of_a_real_producer_is_acknowledged_when_it_gets_through(
    proxied: Proxied, prefix: str
) -> None:
    one, other = f"{prefix}.one", f"{prefix}.other"
    await create_topics(proxied, one, other)
    held = proxied.proxy.hold(PRODUCE, of="request", topic=other)
    async with AIOKafkaProducer(bootstrap_servers=proxied.bootstrap) as producer:
        await producer.send_and_wait(one, b"value")
        sending = await producer.send(other, b"value")
        await held.caught.wait()
        assert not sending.done()
        held.release()
        assert (await sending).offset == 0
