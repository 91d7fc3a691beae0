"""Results that are signed: which bytes, with which key, and what a worker says of a key that is none."""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from aiokafka import ConsumerRecord
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.stream.killing import events
from tests.stream.oracle import assert_exactly_once
from tests.stream.signingkit import (
    SIGNATURE,
    KeyPair,
    assert_signed,
    key_pair,
    message,
    openssl,
    private_of,
)
from tests.stream.streamkit import Clock, Input, Stream, claims, until
from tests.stream.test_stream_parts import arrived, judge
from worker.adjudication import encode
from worker.settings import Settings
from worker.stream.deciding import Decider
from worker.stream.errors import Refused
from worker.stream.histories import Histories
from worker.stream.outgoing import Outgoing
from worker.stream.results import trace_of
from worker.stream.signature import statement
from worker.stream.signing import Signer, signer_of

EVENTS = 600
TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def pair(tmp_path: Path) -> KeyPair:
    return key_pair(tmp_path)


def signer(pair: KeyPair) -> Signer:
    made = signer_of(Settings(signing_key_file=pair.private))
    assert made is not None
    return made


def results(records: list[ConsumerRecord[bytes, bytes]], sign: Signer | None) -> list[Outgoing]:
    decider = Decider(judge, encode, Settings(key_partition_check=False), now=Clock(), sign=sign)
    return decider.decide(records, Histories()).results


def some(count: int = 20, headers: tuple[tuple[str, bytes], ...] = ()) -> list[ConsumerRecord[bytes, bytes]]:
    made = [Input(claim.key, claim.value, None, headers) for claim in claims(count, seed=4)]
    return [arrived(record, offset) for offset, record in enumerate(made)]


# RFC 8032, section 7.1, tests 1 to 3: seed, message, public key (first bytes), signature.
@pytest.mark.parametrize(
    ("seed", "text", "signature"),
    [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "",
            (
                "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
                "d25bf5f0595bbe24655141438e7a100b"
            ),
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "72",
            (
                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
                "387b2eaeb4302aeeb00d291612bb0c00"
            ),
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "af82",
            (
                "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
                "4a7c15e9716ed28dc027beceea1ec40a"
            ),
        ),
    ],
)
def test_the_library_signs_as_rfc_8032_does(seed: str, text: str, signature: str) -> None:
    private = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed))
    assert private.sign(bytes.fromhex(text)).hex() == signature


def test_what_is_signed_is_these_bytes() -> None:
    headers = [("content-type", b"c"), ("ce_id", b"12"), ("other", b"o"), ("ce_time", b"")]
    assert statement(b"k", b"{}", 258, headers) == (
        b"mms-result-signature-v1\0"
        b"\0\0\0\0\0\0\1\2"
        b"\0\0\0\1k"
        b"\0\0\0\2{}"
        b"\xff\xff\xff\xff"  # ce_specversion
        b"\0\0\0\x0212"
        b"\xff\xff\xff\xff\xff\xff\xff\xff"  # ce_source, ce_type
        b"\0\0\0\0"  # ce_time
        b"\0\0\0\1c"
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((b"ab", b"c", 0, ()), (b"a", b"bc", 0, ())),
        ((None, b"c", 0, ()), (b"", b"c", 0, ())),
        ((b"a", b"c", 0, [("ce_id", b"x")]), (b"a", b"c", 0, [("ce_source", b"x")])),
        ((b"a", b"c", 0, [("ce_time", b"")]), (b"a", b"c", 0, ())),
        ((b"a", b"c", -1, ()), (b"a", b"c", 0, ())),
    ],
    ids=["where key and value meet", "null and empty", "another header", "empty and absent", "no time"],
)
def test_results_that_say_different_things_are_different_bytes(one: tuple, other: tuple) -> None:
    assert statement(*one) != statement(*other)


def test_a_result_is_signed_by_the_key_of_the_settings_and_otherwise_what_it_was(pair: KeyPair) -> None:
    plain, signed = results(some(), None), results(some(), signer(pair))
    assert len(signed) == 20
    for before, after in zip(plain, signed, strict=True):
        assert_signed(after, pair)
        assert [header for header in after.headers if header[0] != SIGNATURE] == before.headers
        assert after._replace(headers=()) == before._replace(headers=())


def test_openssl_agrees(pair: KeyPair, tmp_path: Path) -> None:
    (record,) = results(some(1), signer(pair))
    text, signature = tmp_path / "text", tmp_path / "signature"
    text.write_bytes(message(record))
    signature.write_bytes(base64.b64decode((dict(record.headers)[SIGNATURE] or b"").split(b";")[2]))
    verify = ("pkeyutl", "-verify", "-pubin", "-inkey", pair.public, "-rawin", "-sigfile", signature, "-in")
    openssl(*verify, text)
    text.write_bytes(message(record) + b" ")
    with pytest.raises(subprocess.CalledProcessError):
        openssl(*verify, text)


def test_a_trace_stays_the_last_header_and_is_not_signed(pair: KeyPair) -> None:
    (plain,), (traced,) = (
        results(some(1, headers), signer(pair)) for headers in ((), (("traceparent", TRACE),))
    )
    assert traced.headers[:-1] == plain.headers
    assert traced.headers[-1] == ("traceparent", TRACE)
    assert trace_of(traced) == "0af7651916cd43dd8448eb211c80319c"


def test_the_same_result_is_signed_with_the_same_bytes(pair: KeyPair) -> None:
    assert results(some(), signer(pair)) == results(some(), signer(pair))


NO_KEYS: dict[str, Callable[[Path], None]] = {
    "nothing": lambda file: file.write_bytes(b"") and None,
    "no PEM": lambda file: file.write_bytes(b"\x00secret") and None,
    "RSA": lambda file: openssl("genpkey", "-algorithm", "rsa", "-out", file),
    "EC": lambda file: openssl("genpkey", "-algorithm", "ec", "-pkeyopt", "group:P-256", "-out", file),
    "Ed448": lambda file: openssl("genpkey", "-algorithm", "ed448", "-out", file),
    "X25519": lambda file: openssl("genpkey", "-algorithm", "x25519", "-out", file),
    "a password": lambda file: openssl(
        "genpkey", "-algorithm", "ed25519", "-aes256", "-pass", "pass:word", "-out", file
    ),
    "the public key": lambda file: key_pair(file.parent, "pair").public.rename(file) and None,
}


@pytest.mark.parametrize("fault", NO_KEYS)
def test_a_file_that_is_no_private_ed25519_key_is_refused_in_a_line(fault: str, tmp_path: Path) -> None:
    file = tmp_path / "file.pem"
    NO_KEYS[fault](file)
    with pytest.raises(Refused) as refused:
        signer_of(Settings(signing_key_file=file))
    assert str(refused.value) == (
        f"MMS_SIGNING_KEY_FILE={file} must hold an Ed25519 private key as PEM (PKCS#8), without a password; "
        "openssl genpkey -algorithm ed25519 makes one"
    )


def test_without_cryptography_the_extra_is_named(pair: KeyPair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    with pytest.raises(Refused, match=r"needs cryptography: install mms-adjudication-worker\[crypto\]"):
        signer_of(Settings(signing_key_file=pair.private))


def test_a_worker_that_does_not_sign_does_not_load_cryptography() -> None:
    # In a process of its own: this one has it.
    asked = (
        "import sys; from worker.settings import Settings; from worker.stream import engine, signing;"
        "signing.signer_of(Settings()); sys.exit('cryptography' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", asked], check=False).returncode == 0


async def test_a_worker_with_a_key_that_is_none_stops_and_says_what_it_must_be(
    stream: Stream, tmp_path: Path
) -> None:
    file = tmp_path / "rsa.pem"
    NO_KEYS["RSA"](file)
    worker = stream.worker(signing_key_file=file)
    assert await worker.ended() == 2
    (said,) = worker.said("worker stops")
    assert "must hold an Ed25519 private key" in said["reason"]


async def test_a_killed_worker_and_the_next_one_sign_every_result_once_and_with_the_same_bytes(
    stream: Stream, pair: KeyPair
) -> None:
    records = events(EVENTS, 31, 60)
    await stream.publish(records)
    worker = stream.worker(signing_key_file=pair.private, batch_max_records=20)

    async def is_at_work() -> bool:
        return await stream.committed() > 0

    await until(is_at_work, "a first batch")
    worker.kill()
    worker = stream.worker(signing_key_file=pair.private)
    await stream.drained(EVENTS)
    await assert_exactly_once(stream, records)
    private = private_of(pair.private)
    published = [record for part in (await stream.results()).values() for record in part]
    assert len(published) > EVENTS // 2
    for record in published:
        expected = base64.b64encode(private.sign(message(record)))
        assert dict(record.headers)[SIGNATURE] == f"ed25519;{pair.key_id};".encode() + expected
    (said,) = worker.said("results are signed")
    assert said["key_id"] == pair.key_id
