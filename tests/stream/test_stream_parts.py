"""The parts of the stream that need no broker."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from worker.settings import InvalidSettings, Settings, load_settings
from worker.stream.breaker import Breaker
from worker.stream.connection import connection
from worker.stream.deciding import partition_of
from worker.stream.errors import BreakerOpen, Refused
from worker.stream.health import DEAD_AFTER_S, Pulse
from worker.stream.logs import SELDOM_S, Seldom
from worker.stream.retry import Backoff
from worker.stream.topics import specs

MIB = 1 << 20


class Clock:
    """A clock that a test winds."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


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

    def test_failures_far_apart_do_not_belong_together(self) -> None:
        clock = Clock()
        backoff = Backoff(Settings(patience_s=30), now=clock)
        for _ in range(5):
            assert backoff.failed() is not None
            clock.time += 31

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
        assert "open sesame" in connection(settings).values()
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


def test_topics_have_room_for_what_the_contract_lets_in() -> None:
    sizes = [int(spec.config["max.message.bytes"]) for spec in specs(Settings(history_max_bytes=MIB))]
    entering, results, letters, history = sizes
    assert entering > MIB
    assert results >= entering
    assert letters > entering
    assert history >= 2 * MIB


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
