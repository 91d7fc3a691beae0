"""What the demo sends: claims, histories of members with many claims, and records that cannot be accepted."""

from __future__ import annotations

from typing import NamedTuple

import orjson

from worker.devkit.claims import Event
from worker.devkit.claims.bad import BadRecord
from worker.devkit.claims.strays import one_of_each
from worker.devkit.generator import bad_records, events, histories

FAULTY_RECORDS = 7
"""One of each way in which a record can break the contract by itself."""
HISTORY_EVENTS = 300
HISTORY_MEMBERS = 60
"""Few enough that all kinds of events make claims be decided again."""


class Script(NamedTuple):
    """The records of one demo; strays among ``bad`` are at odds with the first claim and come after it."""

    seed: int
    claims: list[Event]
    histories: list[Event]
    bad: list[BadRecord]

    @property
    def members(self) -> int:
        """Members whose histories are sent."""
        return len({event["data"]["member_id"] for event in self.histories})

    @property
    def generate_claims(self) -> str:
        """The command that writes the same claims to a file."""
        return f"mms-worker devkit generate --count {len(self.claims)} --seed {self.seed} --out claims.jsonl"

    @property
    def generate_histories(self) -> str:
        """The command that writes the same histories to a file."""
        shape = f"--histories --count {len(self.histories)} --members {HISTORY_MEMBERS} --seed {self.seed}"
        return f"mms-worker devkit generate {shape} --out histories.jsonl"


def script_of(claims: int, seed: int) -> Script:
    """The demo of a seed, with so many claims (one at least) beside the histories."""
    good = list(events(claims, seed))
    key = good[0]["data"]["member_id"].encode()
    strays = one_of_each(str(seed), good[0])
    bad = bad_records(FAULTY_RECORDS, seed)
    bad += [BadRecord(key, orjson.dumps(stray.event), stray.reason) for stray in strays]
    return Script(seed, good, list(histories(HISTORY_EVENTS, seed, HISTORY_MEMBERS)), bad)
