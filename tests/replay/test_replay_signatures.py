"""``replay verify --signed-by``: which results are signed by whom, and every way in which one is not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pyarrow as pa
import pytest
from aiokafka import ConsumerRecord
from aiokafka.admin import NewTopic
from pyarrow import parquet

from tests.replay.replaykit import made_up, write
from tests.replay.test_replay_command import copied, counts, replay
from tests.replay.test_replay_manifest import Ended, mms_worker
from tests.stream.killing import events
from tests.stream.signingkit import SIGNATURE, KeyPair, key_pair, openssl, private_of
from tests.stream.streamkit import Stream
from worker.replay.reading.evidence import EvidenceError
from worker.replay.signatures.checking import checked
from worker.replay.signatures.keys import read_keys
from worker.stream.signing import Signer

MAY_4 = 1_777_852_800_000
COUNT = 300
Header = tuple[str, bytes | None]


class Said(NamedTuple):
    """A result's record."""

    key: bytes | None
    value: bytes | None
    timestamp: Any
    headers: tuple[Header, ...]

    def with_header(self, name: str, value: bytes | None) -> Said:
        """The same with another value of a header."""
        return self._replace(headers=tuple((n, value if n == name else v) for n, v in self.headers))

    def without(self, name: str) -> Said:
        return self._replace(headers=tuple(header for header in self.headers if header[0] != name))

    def and_header(self, name: str, value: bytes | None) -> Said:
        return self._replace(headers=(*self.headers, (name, value)))

    @property
    def signature(self) -> bytes:
        return dict(self.headers)[SIGNATURE] or b""


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


@pytest.fixture(scope="module")
def pair(keys: Path) -> KeyPair:
    return key_pair(keys, "now")


@pytest.fixture(scope="module")
def retired(keys: Path) -> KeyPair:
    return key_pair(keys, "retired")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> KeyPair:
    return key_pair(tmp_path_factory.mktemp("stranger"))


def said(pair: KeyPair, value: bytes = b'{"a":1}', key: bytes = b"MBR-1", timestamp: int = MAY_4) -> Said:
    """A result as a worker with this key writes it."""
    headers: list[Header] = [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"r-1"),
        ("ce_source", b"urn:mms"),
        ("ce_type", b"mms.claim.adjudicated.v1"),
        ("content-type", b"application/json"),
        ("ce_time", b"2026-05-04T00:00:00Z"),
    ]
    headers.append((SIGNATURE, Signer(private_of(pair.private))(key, value, timestamp, headers)))
    return Said(key, value, timestamp, tuple(headers))


def again(good: Said, change: Callable[[bytes], bytes]) -> Said:
    return good.with_header(SIGNATURE, change(good.signature))


UNTOUCHED: dict[str, Callable[[Said], Said]] = {
    "as it was": lambda good: good,
    "a trace": lambda good: good.and_header("traceparent", b"00-1"),
    "what a mirror adds": lambda good: good.and_header("mirrored-from", b"dc1"),
    "headers in another order": lambda good: good._replace(headers=good.headers[::-1]),
}
BAD: dict[str, Callable[[Said], Said]] = {
    "key": lambda good: good._replace(key=b"MBR-2"),
    "no key": lambda good: good._replace(key=None),
    "value": lambda good: good._replace(value=b'{"a":2}'),
    "no value": lambda good: good._replace(value=None),
    "a space behind the value": lambda good: good._replace(value=(good.value or b"") + b" "),
    "timestamp": lambda good: good._replace(timestamp=good.timestamp + 1),
    "ce_specversion": lambda good: good.with_header("ce_specversion", b"0.3"),
    "ce_id": lambda good: good.with_header("ce_id", b"r-2"),
    "ce_source": lambda good: good.with_header("ce_source", b"urn:other"),
    "ce_type": lambda good: good.with_header("ce_type", b"mms.claim.adjudicated.v2"),
    "ce_time": lambda good: good.with_header("ce_time", b"2026-05-05T00:00:00Z"),
    "no ce_time": lambda good: good.without("ce_time"),
    "ce_time of null": lambda good: good.with_header("ce_time", None),
    "content-type": lambda good: good.with_header("content-type", b"application/cloudevents+json"),
    "ce_id twice": lambda good: good.and_header("ce_id", b"r-1"),
    "two signatures": lambda good: good.and_header(SIGNATURE, good.signature),
    "signature of null": lambda good: good.with_header(SIGNATURE, None),
    "no content": lambda good: good.with_header(SIGNATURE, b""),
    "another algorithm": lambda good: again(good, lambda text: text.replace(b"ed25519", b"ed25519ph")),
    "no algorithm": lambda good: again(good, lambda text: text.replace(b"ed25519", b"none")),
    "capitals": lambda good: again(good, lambda text: text.replace(b"ed25519", b"Ed25519")),
    "no key id": lambda good: again(good, lambda text: b"ed25519;;" + text.split(b";")[2]),
    "a part more": lambda good: again(good, lambda text: text + b";x"),
    "a line end": lambda good: again(good, lambda text: text + b"\n"),
    "not UTF-8": lambda good: again(good, lambda text: text + b"\xff"),
    "a byte less": lambda good: again(good, lambda text: text[:-6] + b"AA=="),
    "no padding": lambda good: again(good, lambda text: text.rstrip(b"=")),
    "another text of the same bytes": lambda good: again(good, other_text),
    "zeros": lambda good: again(good, lambda text: text[:25] + b"A" * 86 + b"=="),
}


def other_text(text: bytes) -> bytes:
    """Base64 whose last four bits, which stand for nothing, are others."""
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return text[:-3] + alphabet[alphabet.index(text[-3]) + 1 :][:1] + b"=="


@pytest.mark.parametrize("change", UNTOUCHED)
def test_a_result_that_says_the_same_is_signed_by_its_key(change: str, pair: KeyPair) -> None:
    assert checked(*UNTOUCHED[change](said(pair)), read_keys(pair.public)) == (None, pair.key_id)


@pytest.mark.parametrize("change", BAD)
def test_a_result_that_says_anything_else_or_is_signed_otherwise_is_bad(change: str, pair: KeyPair) -> None:
    good = said(pair)
    changed = BAD[change](good)
    assert changed != good
    assert checked(*changed, read_keys(pair.public)).fault == "bad"


def test_a_signature_of_another_result_is_bad(pair: KeyPair) -> None:
    other = said(pair, b'{"a":2}').signature
    assert checked(*said(pair).with_header(SIGNATURE, other), read_keys(pair.public)).fault == "bad"


def test_another_keys_signature_under_the_name_of_a_known_one_is_bad(
    pair: KeyPair, stranger: KeyPair
) -> None:
    forged = again(said(stranger), lambda text: text.replace(stranger.key_id.encode(), pair.key_id.encode()))
    assert checked(*forged, read_keys(pair.public)) == ("bad", pair.key_id)


def test_a_key_that_was_not_given_is_told_as_unknown(pair: KeyPair, stranger: KeyPair) -> None:
    assert checked(*said(stranger), read_keys(pair.public)) == ("of an unknown key", stranger.key_id)


def test_a_result_without_a_signature_is_unsigned(pair: KeyPair) -> None:
    assert checked(*said(pair).without(SIGNATURE), read_keys(pair.public)).fault == "unsigned"


class TestKeys:
    def test_results_of_retired_keys_verify_as_long_as_those_are_in_the_folder(
        self, keys: Path, pair: KeyPair, retired: KeyPair
    ) -> None:
        found = read_keys(keys / "public")
        assert set(found) == {pair.key_id, retired.key_id}
        for one in (pair, retired):
            assert checked(*said(one), found) == (None, one.key_id)

    def test_a_file_can_hold_several(self, tmp_path: Path, pair: KeyPair, retired: KeyPair) -> None:
        file = tmp_path / "all.pem"
        file.write_bytes(b"the key of 2026\n" + pair.public.read_bytes() + retired.public.read_bytes())
        assert set(read_keys(file)) == {pair.key_id, retired.key_id}

    def test_hidden_files_are_passed_over(self, tmp_path: Path, pair: KeyPair) -> None:
        (tmp_path / "one.pem").write_bytes(pair.public.read_bytes())
        (tmp_path / "..data").mkdir()
        assert set(read_keys(tmp_path)) == {pair.key_id}

    def test_an_empty_folder_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(EvidenceError, match="no public key is in this folder; openssl pkey"):
            read_keys(tmp_path)

    def test_a_path_that_is_not_there_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(EvidenceError, match="No such file or directory"):
            read_keys(tmp_path / "none")

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (lambda _: b"not a key", "no public key as PEM"),
            (lambda pair: pair.private.read_bytes(), "a private key, which belongs to the worker alone"),
            (lambda pair: pair.public.read_bytes() + pair.private.read_bytes(), "a private key"),
            (lambda pair: public_of(pair, "rsa"), "something else than Ed25519"),
            (lambda pair: public_of(pair, "ec", "-pkeyopt", "group:P-256"), "something else than Ed25519"),
            (lambda pair: public_of(pair, "ed448"), "something else than Ed25519"),
            (lambda pair: pair.public.read_bytes() + public_of(pair, "rsa"), "something else than Ed25519"),
            (lambda pair: pair.public.read_bytes().replace(b"MCow", b"MCox"), "something else than Ed25519"),
            (
                lambda pair: pair.public.read_bytes().replace(b"PUBLIC KEY", b"CERTIFICATE"),
                "something else than Ed25519",
            ),
            (lambda pair: 2 * pair.public.read_bytes() + pair.public.read_bytes()[:60], "a key that is cut"),
            (lambda pair: pair.public.read_bytes() + pair.private.read_bytes()[:60], "a private key"),
        ],
        ids=[
            "text",
            "private",
            "both",
            "RSA",
            "EC",
            "Ed448",
            "one good",
            "damaged",
            "certificate",
            "cut off",
            "private, cut off",
        ],
    )
    def test_a_file_that_is_not_public_ed25519_keys_alone_is_refused(
        self, content: Callable[[KeyPair], bytes], said: str, pair: KeyPair, tmp_path: Path
    ) -> None:
        (tmp_path / "a.pem").write_bytes(pair.public.read_bytes())
        (tmp_path / "b.pem").write_bytes(content(pair))
        with pytest.raises(EvidenceError, match=rf"b\.pem: it holds {said}"):
            read_keys(tmp_path)


def public_of(pair: KeyPair, algorithm: str, *options: str) -> bytes:
    """A public key of another kind."""
    private = pair.private.with_name(f"{algorithm}.pem")
    openssl("genpkey", "-algorithm", algorithm, *options, "-out", private)
    public = private.with_suffix(".pub")
    openssl("pkey", "-in", private, "-pubout", "-out", public)
    return public.read_bytes()


@pytest.fixture(scope="module")
def archived(tmp_path_factory: pytest.TempPathFactory, pair: KeyPair) -> Path:
    """Two replays of the same archive: of its good files, and of those and others."""
    directory = tmp_path_factory.mktemp("archived")
    case = made_up(110)
    write(directory, case)
    results = [
        said(pair, line, orjson.loads(line)["member_id"].encode(), MAY_4 + number)
        for number, line in enumerate(case.results)
    ]
    parts = [columns(results[first : first + 20]) for first in range(0, 60, 20)]
    harmed = results[60:80]
    harmed[3] = harmed[3]._replace(timestamp=1)
    harmed[7:18] = [one.without(SIGNATURE) for one in harmed[7:18]]
    harmed[8] = harmed[8]._replace(timestamp=None)
    for name, table in {
        "signed": parts[0],
        "keyless": without(parts[1], "key"),
        "headless": without(parts[2], "headers"),
        "harmed": columns(harmed),
        "timeless": without(columns(results[80:]), "timestamp"),
    }.items():
        parquet.write_table(pa.table(table), directory / f"{name}.parquet")
    files = [f"{name}.parquet" for name in ("signed", "keyless", "headless", "harmed", "timeless")]
    replay = ("replay", "--events", "events.jsonl", "--processes", "1")
    assert mms_worker(directory, *replay, "--results", *files, "--out", "all").code == 0
    good = columns(results)
    parquet.write_table(pa.table(good), directory / "whole.parquet")
    assert mms_worker(directory, *replay, "--results", "whole.parquet", "--out", "good").code == 0
    assert mms_worker(directory, *replay, "--results", "results.jsonl", "--out", "plain").code == 0
    return directory


def without(table: dict[str, pa.Array], name: str) -> dict[str, pa.Array]:
    return {each: column for each, column in table.items() if each != name}


def test_archived_results_with_their_headers_are_verified(archived: Path, pair: KeyPair) -> None:
    ended = mms_worker(archived, "replay", "verify", "good", "--signed-by", str(pair.public))
    assert (ended.code, ended.err) == (0, "")
    assert re.fullmatch(rf"matches [0-9]+ results by {pair.key_id}", signatures(ended)["whole.parquet"])


def test_each_archived_file_is_told_by_itself_with_the_first_lines_that_are_wrong(
    archived: Path, pair: KeyPair
) -> None:
    ended = mms_worker(archived, "replay", "verify", "all", "--signed-by", str(pair.public))
    assert ended.code == 1
    assert "not verified: 3 of " in ended.out
    good = f"matches 20 results by {pair.key_id}"
    assert signatures(ended) == {
        "signed.parquet": good,
        "keyless.parquet": good,
        "headless.parquet": "missing it has no column headers: signatures need them",
        "harmed.parquet": f"differs 8 results by {pair.key_id}, 1 bad, 11 unsigned: first line 4 bad, "
        "line 8 unsigned, line 9 unsigned, line 10 unsigned, line 11 unsigned",
        "timeless.parquet": "missing it has no column timestamp: signatures need them",
    }
    assert "MBR" not in ended.out


def test_unsigned_results_from_before_signing_began_are_accepted_and_counted(
    archived: Path, pair: KeyPair
) -> None:
    since = ("--signed-since", "2026-05-04T00:00:00.070Z")  # a millisecond a result
    ended = mms_worker(archived, "replay", "verify", "all", "--signed-by", str(pair.public), *since)
    told = signatures(ended)["harmed.parquet"]
    assert ended.code == 1
    assert ", 2 unsigned from before signing began, 1 bad, 9 unsigned: first line 4 bad, line 9 " in told


def test_lines_of_json_keep_no_signatures_and_fail_whoever_relies_on_them(
    archived: Path, pair: KeyPair
) -> None:
    ended = mms_worker(archived, "replay", "verify", "plain")
    assert (ended.code, signatures(ended)) == (0, {})
    ended = mms_worker(archived, "replay", "verify", "plain", "--signed-by", str(pair.public))
    assert ended.code == 1
    told = "missing lines of JSON keep no signatures; archive results as Parquet, with their headers"
    assert signatures(ended) == {"results.jsonl": told}


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--signed-by", "none"), "none: No such file or directory"),
        (("--signed-since", "2026-05-04"), "--signed-since needs --signed-by"),
        (("--signed-by", "none", "--signed-since", "12"), "--signed-since 12: give a date"),
    ],
)
def test_options_that_make_no_sense_are_told_in_a_line(
    tmp_path: Path, options: tuple[str, ...], line: str
) -> None:
    ended = mms_worker(tmp_path, "replay", "verify", "out", *options)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"mms-worker: {line}")
    assert len(ended.err.splitlines()) == 1


def columns(results: Iterable[Said]) -> dict[str, pa.Array]:
    given = list(results)
    return {
        "key": pa.array([one.key for one in given]),
        "value": pa.array([one.value for one in given]),
        "timestamp": pa.array([one.timestamp for one in given], pa.timestamp("ms", "UTC")),
        "headers": pa.array([one.headers for one in given], pa.map_(pa.string(), pa.binary())),
    }


def signatures(ended: Ended) -> dict[str, str]:
    """What the table says of signatures, by file or topic and partition."""
    rows = [line.split() for line in ended.out.splitlines()]
    return {row[1]: " ".join(row[2:]) for row in rows if row[0] == "signatures"}


async def test_signed_topics_are_verified_across_a_change_of_keys(
    stream: Stream, tmp_path: Path, pair: KeyPair, retired: KeyPair, keys: Path
) -> None:
    records = events(COUNT, 31, 60)
    for signing, count in ((retired, COUNT // 2), (pair, COUNT)):
        await stream.publish(records[count - COUNT // 2 : count])
        worker = stream.worker(signing_key_file=signing.private)
        await stream.drained(count)
        worker.stop(20)
    code, text = await replay(stream, tmp_path / "out")
    assert code == 0, text

    ended = await verify(stream, tmp_path / "out", keys / "public")
    assert ended.code == 0, ended.out
    topic = stream.settings.results_topic
    for number, part in (await stream.results()).items():
        by = [(dict(one.headers)[SIGNATURE] or b"").split(b";")[1].decode() for one in part]
        told = signatures(ended)[f"{topic}/{number}"]
        for each in (pair, retired):
            assert f"{by.count(each.key_id)} results by {each.key_id}" in told
    assert "not checked" in ended.out  # the events, which nobody asked for

    ended = await verify(stream, tmp_path / "out", pair.public)
    assert ended.code == 1
    assert f" of an unknown key: first {topic}-0-0 of an unknown key {retired.key_id}, " in ended.out


async def test_every_harm_to_a_copy_of_signed_results_is_told_with_its_place(
    stream: Stream, tmp_path: Path, pair: KeyPair, stranger: KeyPair
) -> None:
    records = events(COUNT, 31, 60)
    await stream.publish(records)
    worker = stream.worker(signing_key_file=pair.private)
    await stream.drained(COUNT)
    worker.stop(20)
    results = await stream.results()
    own = stream.settings.app_id[-8:]  # short: a row must not be folded
    untouched, harmed = f"{own}.copy", f"{own}.harmed"
    await copied(stream, untouched, results)
    part = results[1]
    part[2] = replace(part[2], value=(part[2].value or b"").replace(b'"outcome":"', b'"outcome":"x', 1))
    one, other = dict(part[4].headers)[SIGNATURE], dict(part[6].headers)[SIGNATURE]
    for number, signature in ((4, other), (6, one)):
        part[number] = replace(part[number], headers=with_signature(part[number], signature))
    part[8] = replace(part[8], headers=with_signature(part[8], None))
    forged = Signer(private_of(stranger.private))(
        part[9].key, part[9].value or b"", part[9].timestamp, part[9].headers
    )
    part[9] = replace(part[9], headers=with_signature(part[9], forged))
    await copied(stream, harmed, results)

    code, text = await replay(stream, tmp_path / "copy", results_topic=untouched)
    assert code == 0, text
    ended = await verify(stream, tmp_path / "copy", pair.public)
    assert ended.code == 0, ended.out

    code, text = await replay(stream, tmp_path / "harmed", results_topic=harmed)
    assert code == 1, text
    assert counts(tmp_path / "harmed")["results_by_cause"] == {"tampered": 1}  # of the rest all is as it was
    ended = await verify(stream, tmp_path / "harmed", pair.public)
    assert ended.code == 1
    told = signatures(ended)
    assert [name for name, what in told.items() if "differs" in what] == [f"{harmed}/1"]
    assert told[f"{harmed}/1"].endswith(
        f"differs {len(part) - 5} results by {pair.key_id}, 3 bad, 1 of an unknown key, 1 unsigned: "
        f"{harmed}-1-2 bad, {harmed}-1-4 bad, {harmed}-1-6 bad, {harmed}-1-8 unsigned, "
        f"{harmed}-1-9 of an unknown key {stranger.key_id}"
    )
    assert "not verified: 1 of " in ended.out
    assert not any((record.key or b"").decode() in ended.out for record in part)


async def test_a_topic_that_sets_times_of_its_own_is_named_as_the_reason(
    stream: Stream, tmp_path: Path, pair: KeyPair
) -> None:
    await stream.publish(events(40, 31, 10))
    worker = stream.worker(signing_key_file=pair.private)
    await stream.drained(40)
    worker.stop(20)
    topic = f"{stream.settings.results_topic}.copy"
    async with stream.administration() as client:
        config = {"message.timestamp.type": "LogAppendTime"}
        await client.create_topics([NewTopic(topic, stream.settings.partitions, 1, topic_configs=config)])
    await copied(stream, topic, await stream.results())
    code, text = await replay(stream, tmp_path / "out", results_topic=topic)
    assert code == 0, text
    ended = await verify(stream, tmp_path / "out", pair.public)
    assert ended.code == 1
    assert "; the topic has the brokers' time, which nobody signed (message.timestamp.type" in ended.out


async def verify(stream: Stream, out: Path, keys: Path) -> Ended:
    """What ``replay verify`` says of the signatures in topics."""
    process = stream.process(stream.command("replay", "verify", str(out), "--signed-by", str(keys)))
    return Ended(await process.ended(), process.text, "")


def with_signature(record: ConsumerRecord, signature: bytes | None) -> tuple[Header, ...]:
    """The record's headers with another signature, or without one."""
    others = tuple(header for header in record.headers if header[0] != SIGNATURE)
    return others if signature is None else (*others, (SIGNATURE, signature))
