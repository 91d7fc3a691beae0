"""The parts of the stream that need no broker."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import traceback
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal

import orjson
import pytest
import structlog
from aiokafka import ConsumerRecord
from aiokafka.errors import KafkaConnectionError

from tests.stream.oracle import reference
from tests.stream.streamkit import Clock, Input, claims
from worker.adjudication import Adjudicated, Rejected, Result, adjudicate, encode
from worker.adjudication.claim import Event
from worker.settings import InvalidSettings, Settings, load_settings
from worker.stream.breaker import Breaker
from worker.stream.connection import connection
from worker.stream.deciding import Adjudicate, Decider, Encode, partition_of
from worker.stream.errors import BreakerOpen, Refused
from worker.stream.health import DEAD_AFTER_S, Pulse
from worker.stream.histories import Histories
from worker.stream.logs import QUIET, SELDOM_S, Seldom, configure_logs
from worker.stream.outgoing import BATCH_BYTES
from worker.stream.results import TRACEPARENT_BYTES
from worker.stream.retry import Backoff
from worker.stream.topics import HEADERS_BYTES, RESULT_BYTES, specs

MIB = 1 << 20
DIAGNOSIS = "C44.311"


# Of Kafka's own tests (UtilsTest.testMurmur2), made positive, modulo a prime number of partitions.
@pytest.mark.parametrize(
    ("key", "murmur2"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_keys_are_placed_as_javas_default_partitioner_places_them(key: bytes, murmur2: int) -> None:
    assert partition_of(key, 7919) == (murmur2 & 0x7FFFFFFF) % 7919


class TestBreaker:
    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    @pytest.fixture
    def breaker(self, clock: Clock) -> Breaker:
        limits = Settings(dead_letter_limit=0.5, dead_letter_window_s=60, dead_letter_least_records=100)
        return Breaker(limits, clock)

    def test_one_bug_does_not_open_it_and_neither_does_the_same_one_again(self, breaker: Breaker) -> None:
        breaker.check(10, 1, [(0, 7)])
        breaker.check(10, 1, [(0, 7)])

    def test_a_second_bug_within_a_minute_opens_it(self, breaker: Breaker, clock: Clock) -> None:
        breaker.check(10, 1, [(0, 7)])
        clock.time += 59.9
        with pytest.raises(BreakerOpen, match="partition 0 offset 7, partition 1 offset 7"):
            breaker.check(10, 1, [(1, 7)])

    def test_a_second_bug_after_a_minute_does_not(self, breaker: Breaker, clock: Clock) -> None:
        breaker.check(10, 1, [(0, 7)])
        clock.time += 60
        breaker.check(10, 1, [(1, 7)])

    @pytest.mark.parametrize(("dead", "opens"), [(50, False), (51, True)])
    def test_a_share_above_the_limit_opens_it(self, breaker: Breaker, dead: int, opens: bool) -> None:
        if opens:
            with pytest.raises(BreakerOpen, match=f"{dead} of the last 100 records"):
                breaker.check(100, dead, [])
        else:
            breaker.check(100, dead, [])

    def test_too_few_records_say_nothing(self, breaker: Breaker) -> None:
        breaker.check(99, 99, [])

    def test_what_was_committed_within_the_window_counts(self, breaker: Breaker, clock: Clock) -> None:
        breaker.committed(100, 60)
        clock.time += 59.9
        with pytest.raises(BreakerOpen):
            breaker.check(1, 0, [])
        clock.time += 0.1
        breaker.check(99, 99, [])


class TestBackoff:
    def test_waits_longer_and_longer_up_to_a_bound(self) -> None:
        backoff = Backoff(Settings(retry_first_s=0.1, retry_longest_s=2), now=Clock())
        waits = [backoff.failed() or 0.0 for _ in range(8)]
        longest = [0.1, 0.2, 0.4, 0.8, 1.6, 2, 2, 2]
        assert all(most / 2 <= wait <= most for wait, most in zip(waits, longest, strict=True))

    def test_gives_up_when_its_patience_is_over(self) -> None:
        clock = Clock()
        backoff = Backoff(Settings(patience_s=30), now=clock)
        backoff.failed()
        clock.time += 30
        assert backoff.failed() is not None
        clock.time += 0.1
        assert backoff.failed() is None

    def test_a_success_renews_its_patience(self) -> None:
        clock = Clock()
        backoff = Backoff(Settings(patience_s=30), now=clock)
        backoff.failed()
        clock.time += 20
        backoff.succeeded()
        backoff.failed()
        clock.time += 20
        assert backoff.failed() is not None

    @pytest.mark.parametrize(("at_work", "gives_up"), [(30, True), (30.1, False)])
    def test_to_be_at_work_for_longer_than_its_patience_renews_it(
        self, at_work: float, gives_up: bool
    ) -> None:
        clock = Clock()
        backoff = Backoff(Settings(patience_s=30), now=clock)
        backoff.failed()
        clock.time += 5
        backoff.at_work()
        clock.time += at_work
        assert (backoff.failed() is None) == gives_up

    def test_the_time_that_it_takes_to_be_at_work_again_does_not_renew_it(self) -> None:
        clock = Clock()
        backoff = Backoff(Settings(patience_s=120), now=clock)
        backoff.failed()
        clock.time += 125
        backoff.at_work()
        clock.time += 0.1
        assert backoff.failed() is None

    def test_nor_does_the_time_after_a_failure_for_having_been_at_work_before_it(self) -> None:
        clock = Clock()
        backoff = Backoff(Settings(patience_s=30), now=clock)
        backoff.at_work()
        backoff.failed()
        clock.time += 31
        assert backoff.failed() is None

    def test_can_wait_for_ever(self) -> None:
        clock = Clock()
        backoff = Backoff(Settings(patience_s=30), forever=True, now=clock)
        for _ in range(100):
            assert backoff.failed() is not None
            clock.time += 5


class TestSettings:
    @pytest.fixture(autouse=True)
    def bare(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in [name for name in os.environ if name.startswith("MMS_")]:
            monkeypatch.delenv(name)

    def test_come_from_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MMS_PARTITIONS", "24")
        monkeypatch.setenv("MMS_ACCEPT_GAP", "true")
        settings = load_settings()
        assert (settings.partitions, settings.accept_gap) == (24, True)

    def test_an_empty_variable_is_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MMS_PARTITIONS", "")
        assert load_settings().partitions == Settings().partitions

    def test_what_the_command_line_says_comes_first(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MMS_ACCEPT_GAP", "false")
        assert load_settings(accept_gap=True).accept_gap

    def test_a_misspelt_variable_is_a_fault(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MMS_BOOTSTRAP_SERVER", "127.0.0.1:9092")
        with pytest.raises(InvalidSettings, match="did you mean MMS_BOOTSTRAP_SERVERS"):
            load_settings()

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("MMS_DEMO_SERVICE_HOST", "10.0.0.1"),
            ("MMS_DEMO_SERVICE_PORT", "9464"),
            ("MMS_DEMO_SERVICE_PORT_METRICS", "9464"),
            ("MMS_DEMO_PORT", "tcp://10.0.0.1:9464"),
            ("MMS_DEMO_PORT_9464_TCP", "tcp://10.0.0.1:9464"),
            ("MMS_DEMO_PORT_9464_TCP_PROTO", "tcp"),
            ("MMS_DEMO_PORT_9464_TCP_PORT", "9464"),
            ("MMS_DEMO_PORT_9464_TCP_ADDR", "10.0.0.1"),
            ("MMS_DEMO_PORT_53_UDP_ADDR", "10.0.0.1"),
            ("MMS_DEMO_PORT_53_SCTP", "sctp://10.0.0.1:53"),
        ],
    )
    def test_a_link_that_kubernetes_sets_to_a_service_is_no_setting(
        self, monkeypatch: pytest.MonkeyPatch, name: str, value: str
    ) -> None:
        monkeypatch.setenv(name, value)
        assert load_settings() == Settings()

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("MMS_WEBB_PORT", "9464"),
            ("MMS_DEMO_SERVICE", "10.0.0.1"),
            ("MMS_DEMO_SERVICE_HOSTS", "10.0.0.1"),
            ("MMS_DEMO_PORT_METRICS", "9464"),
            ("MMS_DEMO_PORT_9464_TCP_NAME", "metrics"),
            ("MMS_DEMO_HOST", "10.0.0.1"),
        ],
    )
    def test_what_only_looks_like_such_a_link_is_a_fault(
        self, monkeypatch: pytest.MonkeyPatch, name: str, value: str
    ) -> None:
        monkeypatch.setenv(name, value)
        with pytest.raises(InvalidSettings, match=f"^{name} is not a setting"):
            load_settings()

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("MMS_PATIENCE_S", "inf"),
            ("MMS_PATIENCE_S", "nan"),
            ("MMS_PATIENCE_S", "0"),
            ("MMS_RETRY_FIRST_S", "0.0009"),
            ("MMS_DEAD_LETTER_WINDOW_S", "86400.1"),
            ("MMS_INPUT_RETENTION_DAYS", "inf"),
            ("MMS_INPUT_RETENTION_DAYS", "0.009"),
            ("MMS_RESULTS_RETENTION_DAYS", "36501"),
            ("MMS_BATCH_MAX_MS", "nan"),
            ("MMS_DEAD_LETTER_LIMIT", "nan"),
            ("MMS_FETCH_MAX_WAIT_MS", "21"),
            ("MMS_HISTORY_LOOK_BACK_DAYS", "0"),
            ("MMS_HISTORY_MAX_DAY_LINES", "49"),
            ("MMS_BOOTSTRAP_SERVERS", "broker:65536"),
            ("MMS_BOOTSTRAP_SERVERS", "broker:0"),
            ("MMS_BOOTSTRAP_SERVERS", "one:9092,two:99999"),
            ("MMS_INPUT_TOPIC", "."),
            ("MMS_DEAD_LETTER_TOPIC", ".."),
            ("MMS_TLS_CA_FILE", "a" * 5000),
        ],
    )
    def test_a_value_that_could_not_work_is_one_line_that_names_its_variable(
        self, monkeypatch: pytest.MonkeyPatch, name: str, value: str
    ) -> None:
        monkeypatch.setenv(name, value)
        with pytest.raises(InvalidSettings, match=rf"^{name}: .+$"):
            load_settings()

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("MMS_RETRY_FIRST_S", "0.001"),
            ("MMS_DEAD_LETTER_WINDOW_S", "86400"),
            ("MMS_INPUT_RETENTION_DAYS", "0.01"),
            ("MMS_RESULTS_RETENTION_DAYS", "36500"),
            ("MMS_FETCH_MAX_WAIT_MS", "20"),
            ("MMS_HISTORY_LOOK_BACK_DAYS", "1"),
            ("MMS_HISTORY_MAX_DAY_LINES", "50"),
            ("MMS_BOOTSTRAP_SERVERS", "one:1,[::1]:65535"),
            ("MMS_INPUT_TOPIC", "..."),
        ],
    )
    def test_the_last_value_that_works_is_taken(
        self, monkeypatch: pytest.MonkeyPatch, name: str, value: str
    ) -> None:
        monkeypatch.setenv(name, value)
        load_settings()

    @pytest.mark.parametrize(
        ("protocol", "given", "named"),
        [
            ("PLAINTEXT", "tls_ca_file", "MMS_TLS_CA_FILE is not used"),
            ("PLAINTEXT", "tls_cert_file", "MMS_TLS_CERT_FILE is not used"),
            ("PLAINTEXT", "tls_key_file", "MMS_TLS_KEY_FILE is not used"),
            ("PLAINTEXT", "tls_key_password_file", "MMS_TLS_KEY_PASSWORD_FILE is not used"),
            ("PLAINTEXT", "sasl_password_file", "MMS_SASL_PASSWORD_FILE is not used"),
            ("SSL", "sasl_password_file", "MMS_SASL_PASSWORD_FILE is not used"),
            ("SSL", "tls_key_file", "MMS_TLS_KEY_FILE needs MMS_TLS_CERT_FILE"),
            ("SSL", "tls_key_password_file", "MMS_TLS_KEY_PASSWORD_FILE needs MMS_TLS_CERT_FILE"),
        ],
    )
    def test_a_file_that_the_connection_would_leave_unused_is_a_fault(
        self, tmp_path: Path, protocol: str, given: str, named: str
    ) -> None:
        file = tmp_path / "file"
        file.touch()
        with pytest.raises(InvalidSettings, match=f"^{named}[^\n]*$"):
            load_settings(security_protocol=protocol, **{given: file})

    def test_every_fault_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MMS_PARTITIONS", "0")
        monkeypatch.setenv("MMS_WEB_PORT", "http")
        with pytest.raises(InvalidSettings) as told:
            load_settings()
        assert [line.partition(":")[0] for line in str(told.value).splitlines()] == [
            "MMS_PARTITIONS",
            "MMS_WEB_PORT",
        ]

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("buffer_low_records", 8000),
            ("heartbeat_interval_s", 4),
            ("revoke_deadline_s", 10),
            ("batch_deadline_s", 15),
            ("results_topic", "mms.claim-events.v1"),
        ],
    )
    def test_settings_that_do_not_go_together_are_a_fault(self, field: str, value: object) -> None:
        with pytest.raises(InvalidSettings):
            load_settings(**{field: value})

    def test_secrets_come_from_files_and_are_never_in_them(self, tmp_path: Path) -> None:
        secret = tmp_path / "password"
        secret.write_text("open sesame\n")
        settings = load_settings(
            security_protocol="SASL_PLAINTEXT", sasl_username="worker", sasl_password_file=secret
        )
        assert connection(settings)["sasl_plain_password"].value() == "open sesame"
        assert "open sesame" not in repr(settings)

    def test_a_secret_that_cannot_be_read_is_refused_by_its_path(self, tmp_path: Path) -> None:
        secret = tmp_path / "password"
        secret.touch()
        settings = load_settings(
            security_protocol="SASL_PLAINTEXT", sasl_username="worker", sasl_password_file=secret
        )
        secret.unlink()
        with pytest.raises(Refused, match=str(secret)):
            connection(settings)

    def test_a_secret_that_is_no_text_is_refused_by_its_path_and_not_quoted(self, tmp_path: Path) -> None:
        secret = tmp_path / "password"
        secret.write_bytes(b"open \xff sesame")
        settings = load_settings(
            security_protocol="SASL_PLAINTEXT", sasl_username="worker", sasl_password_file=secret
        )
        with pytest.raises(Refused, match=f"{secret} is not UTF-8") as refused:
            connection(settings)
        assert "sesame" not in "".join(traceback.format_exception(refused.value))

    def test_an_encrypted_key_without_its_password_is_refused_and_nobody_is_asked(
        self, tmp_path: Path
    ) -> None:
        certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
        request = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -subj /CN=worker"
        subprocess.run(
            [*request.split(), "-passout", "pass:open sesame", "-keyout", key, "-out", certificate],
            check=True,
            capture_output=True,
        )
        settings = load_settings(security_protocol="SSL", tls_cert_file=certificate, tls_key_file=key)
        with pytest.raises(Refused, match="MMS_TLS_KEY_PASSWORD_FILE"):
            connection(settings)
        password = tmp_path / "password"
        password.write_text("open sesame\n")
        given = settings.model_dump(exclude_unset=True)
        opened = load_settings(**given, tls_key_password_file=password)
        assert "ssl_context" in connection(opened)

    def test_a_file_that_is_no_certificate_is_refused_by_its_variable(self, tmp_path: Path) -> None:
        nothing = tmp_path / "nothing.pem"
        nothing.write_text("nothing")
        with pytest.raises(Refused, match=r"^MMS_TLS_CA_FILE cannot be used"):
            connection(load_settings(security_protocol="SSL", tls_ca_file=nothing))
        with pytest.raises(Refused, match=r"^MMS_TLS_CERT_FILE and MMS_TLS_KEY_FILE cannot be used"):
            connection(load_settings(security_protocol="SSL", tls_cert_file=nothing))


@pytest.mark.parametrize(
    ("cap", "batch"), [(1024, BATCH_BYTES), (BATCH_BYTES // 2, BATCH_BYTES), (BATCH_BYTES, 2 * BATCH_BYTES)]
)
def test_the_changelog_has_room_for_a_batch_of_histories_whatever_their_cap(cap: int, batch: int) -> None:
    *_, history = specs(Settings(history_max_bytes=cap))
    assert int(history.config["max.message.bytes"]) == batch + HEADERS_BYTES


def test_topics_have_room_for_what_the_contract_lets_in() -> None:
    sizes = [int(spec.config["max.message.bytes"]) for spec in specs(Settings(history_max_bytes=MIB))]
    entering, results, letters, history = sizes
    assert entering > MIB
    assert results >= entering
    assert letters == 64 * MIB
    assert history >= 2 * MIB


class TestResultRecords:
    @pytest.fixture
    def records(self) -> list[ConsumerRecord[bytes, bytes]]:
        return [arrived(record, offset) for offset, record in enumerate(claims(3, seed=4))]

    def test_a_result_over_its_topics_bound_is_an_internal_error_of_its_claim_alone(
        self, records: list[ConsumerRecord[bytes, bytes]]
    ) -> None:
        def swollen(result: Result) -> bytes:
            return encode(result) + b" " * (RESULT_BYTES if result.claim_id == second else 0)

        second = orjson.loads(records[1].value or b"")["data"]["claim_id"]
        decided = decider(encode=swollen).decide(records, Histories())
        assert [result.cause for result in decided.results] == [0, 2]
        assert decided.bugs == [1]
        (letter,) = decided.dead_letters
        headers = dict(letter.headers)
        assert (letter.value, letter.cause) == (records[1].value, 1)
        assert headers["mms.dlq.reason"] == b"internal_error"
        assert headers["__streams.errors.exception"] == b"ResultTooLarge"

    @pytest.mark.parametrize(("size", "copied"), [(TRACEPARENT_BYTES, True), (TRACEPARENT_BYTES + 1, False)])
    def test_a_trace_is_carried_on_unless_it_is_too_long(self, size: int, copied: bool) -> None:
        (claim,) = claims(1, seed=4)
        record = arrived(claim._replace(headers=[("traceparent", b"0" * size)]), 0)
        decided = decider().decide([record], Histories())
        assert ("traceparent" in dict(decided.results[0].headers)) == copied


def judge(event: Event, history: bytes | None) -> Adjudicated | Rejected:
    return adjudicate(event, history, reference())


def decider(adjudicate: Adjudicate = judge, encode: Encode = encode) -> Decider:
    """One for which time stands still: it cuts no batch."""
    return Decider(adjudicate, encode, Settings(key_partition_check=False), now=Clock())


def arrived(record: Input, offset: int) -> ConsumerRecord[bytes, bytes]:
    return ConsumerRecord("in", 0, offset, 0, 0, record.key, record.value, None, 0, 0, tuple(record.headers))


def test_only_the_changelog_is_compacted_and_it_keeps_tombstones_for_two_producer_lives() -> None:
    *others, history = specs(Settings())
    assert {spec.config["cleanup.policy"] for spec in others} == {"delete"}
    assert history.config["cleanup.policy"] == "compact"
    assert int(history.config["delete.retention.ms"]) >= 2 * 24 * 3600 * 1000


def test_a_loop_is_dead_when_it_has_not_looked_up_for_long() -> None:
    clock = Clock()
    pulse = Pulse(clock)
    clock.time += DEAD_AFTER_S - 1
    pulse.beat()
    clock.time += DEAD_AFTER_S - 1
    assert pulse.age < DEAD_AFTER_S
    clock.time += 1
    assert pulse.age >= DEAD_AFTER_S


def test_a_library_that_repeats_itself_is_heard_now_and_then() -> None:
    clock = Clock()
    seldom = Seldom(clock)

    def passes(logger: str, message: str) -> bool:
        return seldom.filter(logging.LogRecord(logger, logging.ERROR, "", 0, message, (), None))

    assert passes("aiokafka", "Unable connect to node %s")
    assert not passes("aiokafka", "Unable connect to node %s")
    assert passes("aiokafka", "another message")
    assert passes("worker.stream", "lane open")
    assert passes("worker.stream", "lane open")
    clock.time += SELDOM_S
    assert passes("aiokafka", "Unable connect to node %s")


@pytest.fixture
def _logs_as_before() -> Iterator[None]:
    """Gives the process back the logs that it had."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in QUIET}
    yield
    structlog.reset_defaults()
    root.handlers, root.level = handlers, level
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


def raised(error: Exception, cause: Exception | None = None) -> Exception:
    """The exception, as it is when it has been raised while ``cause`` was handled."""
    with suppress(type(error)):
        raise error from cause
    return error


def quoting() -> Exception:
    """An exception that quotes a claim, and so do its causes, its context and their members."""
    first = raised(ValueError(DIAGNOSIS), raised(KeyError(DIAGNOSIS)))
    group = raised(ExceptionGroup(DIAGNOSIS, [raised(LookupError(DIAGNOSIS))]))
    group.__context__, group.__suppress_context__ = first, False
    return raised(TypeError(DIAGNOSIS), group)


@pytest.mark.usefixtures("_logs_as_before")
@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("logger", [None, "asyncio", "aiokafka.consumer.fetcher", "mode", "anything"])
def test_the_text_of_an_exception_is_not_logged(
    capsys: pytest.CaptureFixture[str], form: Literal["json", "console"], logger: str | None
) -> None:
    configure_logs(Settings(log_format=form))
    error = quoting()
    if logger is None:
        try:
            raise error
        except TypeError:
            structlog.get_logger().exception("a step failed")
    else:
        logging.getLogger(logger).error("a step failed: %r", error, exc_info=error)
    told = capsys.readouterr().err
    assert "a step failed" in told
    assert "in raised" in told
    for name in ("KeyError", "ValueError", "ExceptionGroup", "LookupError", "TypeError"):
        assert name in told
    assert DIAGNOSIS not in told


@pytest.mark.usefixtures("_logs_as_before")
@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("error", [OSError, TimeoutError, KafkaConnectionError])
def test_what_the_network_says_is_logged(
    capsys: pytest.CaptureFixture[str], form: Literal["json", "console"], error: type[Exception]
) -> None:
    configure_logs(Settings(log_format=form))
    logging.getLogger("aiokafka").error("no answer", exc_info=error("broker-1 is away"))
    assert "broker-1 is away" in capsys.readouterr().err


@pytest.mark.usefixtures("_logs_as_before")
async def test_what_the_event_loop_holds_is_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(Settings(log_format="json"))
    loop = asyncio.get_running_loop()
    failed = loop.create_future()
    failed.set_exception(KeyError(DIAGNOSIS))
    loop.default_exception_handler(
        {"message": "Future exception was never retrieved", "future": failed, "exception": failed.exception()}
    )
    ran = asyncio.Event()
    loop.call_soon(lambda _: 1 / 0, {"diagnosis": DIAGNOSIS})
    loop.call_soon(ran.set)
    await ran.wait()
    told = capsys.readouterr().err
    assert "Future exception was never retrieved" in told
    assert "Exception in callback" in told
    assert "ZeroDivisionError" in told
    assert DIAGNOSIS not in told
