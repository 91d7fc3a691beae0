"""Batches that are small as they are sent and large unpacked, made without their content in memory."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import cramjam
from aiokafka import AIOKafkaProducer
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.record.default_records import DefaultRecordBase
from aiokafka.record.util import calc_crc32c

from tests.stream.streamkit import Stream, until
from worker.stream.topics import differences, specs
from worker.stream.unpacking import CODECS

HEADER = DefaultRecordBase.HEADER_STRUCT
CODEC_OF = {name: number for number, name in CODECS.items()}
STAMP = 1_700_000_000_000
CHUNK = bytes(1 << 20)


def one_value(size: int, key: bytes = b"key", value: Iterable[bytes] | None = None) -> Iterator[bytes]:
    """The only record of a batch, with a value of that size, in pieces; nothing but zeros if not given."""
    inside = _varint(0) + _varint(0) + _varint(0) + _varint(len(key)) + key + _varint(size)
    yield _varint(len(inside) + size + 1) + inside
    if value is None:
        value = [CHUNK] * (size // len(CHUNK)) + [CHUNK[: size % len(CHUNK)]]
    yield from value
    yield _varint(0)


def batch(content: Iterable[bytes], codec: str, count: int = 1) -> bytes:
    """A batch of ``count`` records whose content, uncompressed, is given in pieces."""
    packed = _PACK[codec](content)
    body = (
        struct.pack(">hiqqqhii", CODEC_OF.get(codec, 0), count - 1, STAMP, STAMP, -1, -1, -1, count) + packed
    )
    front = struct.pack(">qiib", 0, HEADER.size - 12 + len(packed), -1, 2)
    return front + struct.pack(">I", calc_crc32c(body)) + body


async def send(bootstrap: str, topic: str, partition: int, sent: bytes) -> Any:
    """Send a batch as it is; raises what the broker answers."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, request_timeout_ms=120_000) as producer:
        made = producer.create_batch()
        made.append(key=b"key", value=b"", timestamp=STAMP)
        made._builder = _Made(made._builder, sent)
        return await (await producer.send_batch(made, topic, partition=partition))


async def as_made_before(stream: Stream) -> None:
    """Have the input topic keep what is sent as it is compressed, as topics did that are older."""
    (spec,) = [spec for spec in specs(stream.settings) if spec.name == stream.settings.input_topic]
    config = {**spec.config, "compression.type": "producer"}

    async with stream.administration() as client:
        await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, spec.name, config)])

        async def is_known() -> bool:
            return len(await differences(client, stream.settings)) == 1

        await until(is_known, "the topic to be altered")


class _Made:
    """A batch's builder that has built something else."""

    def __init__(self, builder: Any, sent: bytes) -> None:
        self._builder = builder
        self._sent = sent

    def __getattr__(self, name: str) -> Any:
        return getattr(self._builder, name)

    def build(self) -> bytearray:
        return bytearray(self._sent)


def _varint(number: int) -> bytes:
    out, rest = bytearray(), number << 1  # zigzag, of what is not negative
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes([*out, rest])


def _gzip(content: Iterable[bytes]) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join([packer.compress(piece) for piece in content]) + packer.flush()


def _snappy(content: Iterable[bytes]) -> bytes:
    return bytes(cramjam.snappy.compress_raw(b"".join(content)))


def _xerial(content: Iterable[bytes]) -> bytes:
    """As Java's clients send it: blocks with their sizes."""
    whole = b"".join(content)
    blocks = [
        bytes(cramjam.snappy.compress_raw(whole[at : at + 32768])) for at in range(0, len(whole), 32768)
    ]
    sized = b"".join([struct.pack(">i", len(block)) + block for block in blocks])
    return b"\x82SNAPPY\0" + struct.pack(">ii", 1, 1) + sized


def _frame(compressor: Callable[[], Any]) -> Callable[[Iterable[bytes]], bytes]:
    def pack(content: Iterable[bytes]) -> bytes:
        packer = compressor()
        for piece in content:
            packer.compress(piece)
        return bytes(packer.finish())

    return pack


_PACK: dict[str, Callable[[Iterable[bytes]], bytes]] = {
    "none": b"".join,
    "gzip": _gzip,
    "snappy": _snappy,
    "xerial": _xerial,
    "lz4": _frame(lambda: cramjam.lz4.Compressor(level=9, content_checksum=False, block_linked=False)),
    "zstd": _frame(lambda: cramjam.zstd.Compressor(level=3)),
}
CODEC_OF["xerial"] = CODEC_OF["snappy"]
