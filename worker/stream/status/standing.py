"""How a stream stands, as ``status`` tells it. The fields' names are a contract: ``--json`` prints them."""

from __future__ import annotations

from msgspec import Struct

from worker.stream.status.bases import Basis


class Worker(Struct, frozen=True):
    """A member of the consumer group."""

    consumer_id: str
    """What the group's coordinator calls it."""
    client_id: str
    host: str
    """The address that it connects from."""
    partitions: tuple[int, ...]
    """Those of the input that it holds."""


class Lane(Struct, frozen=True):
    """A partition. Offsets are the input's; times are Unix time in seconds."""

    partition: int
    owner: str | None
    """``consumer_id`` of the worker that holds it."""
    first_offset: int
    """Where the log begins."""
    committed_offset: int | None
    """The next to be decided, as committed last; None if the group was never there."""
    end_offset: int
    """Behind the last stable record."""
    lag_records: int
    """Offsets from the oldest record that is not decided to the end; 0 where only markers are left."""
    lag_seconds: float | None
    """Age of that record by its Kafka timestamp; 0 if there is none, None if it cannot be told."""
    blocked_records: int
    """Offsets behind ``end_offset``, in a transaction that is open or behind it: nobody can read them yet."""
    last_commit: float | None
    """When the last transaction was committed that wrote results, dead letters or histories."""
    digest: str | None
    """That of the last result's basis."""


class OpenTransaction(Struct, frozen=True):
    """A transaction that is open on a partition: what was committed behind it nobody can read yet."""

    topic: str
    partition: int
    producer_id: int
    last_stable_offset: int
    """Where it begins."""
    high_watermark: int
    seconds: float | None
    """For how long by the brokers' clocks, at least; None if they do not tell."""
    hangs: bool
    """Whether its producer's timeout, and the time that brokers take to abort it then, are over; or its
    coordinator has no part in it, so that nobody will end it."""


class Digest(Struct, frozen=True):
    """What decides: a digest that partitions' last results name, with what they say of it."""

    digest: str
    engine: str
    policies: dict[str, str]
    """Version by policy; several are joined by a plus. Only those that the last results had to do with."""
    code_sets: dict[str, str]
    partitions: tuple[int, ...]
    """Those whose last result names it."""
    last_result: float | None
    """When the newest of these results was committed, Unix time in seconds."""
    live: bool
    """Whether that is not long ago: what a quiet partition decided last may be from before an upgrade."""


class DeadLetters(Struct, frozen=True):
    """Dead letters of one reason; None is that of records that no worker has set aside."""

    reason: str | None
    letters: int
    redriven: int


class Finding(Struct, frozen=True):
    """Something that needs a look: a code for programs, a line for people."""

    code: str
    text: str


class Totals(Struct, frozen=True):
    """Over all partitions."""

    partitions: int
    owned: int
    lag_records: int
    lag_seconds: float | None
    """The largest that could be told."""
    blocked_records: int
    last_commit: float | None
    dead_letters: int | None
    redriven: int | None


class Standing(Struct, frozen=True):
    """All of it, as of the Unix time ``at``."""

    verdict: str
    """``healthy``, or the code of the first finding."""
    findings: tuple[Finding, ...]
    at: float
    group: str
    group_state: str
    workers: tuple[Worker, ...]
    totals: Totals
    partitions: tuple[Lane, ...]
    open_transactions: tuple[OpenTransaction, ...]
    digests: tuple[Digest, ...]
    """Those of the last results, the most recent first."""
    dead_letters: tuple[DeadLetters, ...] | None
    """By reason; None if they were not asked for."""


def joined(bases: list[Basis], of: str) -> dict[str, str]:
    """One map of the policies or code sets of several bases, the different versions of a thing joined."""
    found: dict[str, set[str]] = {}
    for basis in bases:
        for name, version in getattr(basis, of).items():
            found.setdefault(name, set()).update(version.split("+"))
    return {name: "+".join(sorted(versions)) for name, versions in sorted(found.items())}
