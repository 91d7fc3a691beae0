"""Every target: what is fuzzed, how often, and within which limits."""

from __future__ import annotations

from tests.fuzz import seeds, structure
from tests.fuzz.rejections import FIELDS
from tests.fuzz.target import Target
from tests.fuzz.targets import (
    decode,
    event,
    headers,
    history,
    importers,
    letters,
    lines,
    payers,
    policies,
    traceparent,
)
from worker.adjudication.claim import DATA_TYPES
from worker.stream.deadletters import ADDED

CONTRACT = (
    *(f'"{name}":' for name in sorted(FIELDS)),
    *(f'"{name}"' for name in DATA_TYPES),
    *structure.HOSTILE[:12],
    *[
        r"true",
        r"false",
        r"null",
        r"[]",
        r"{}",
        r"\u0061",
        r"\\",
        r"17311",
        r"C44.311",
        r'"1"',
        r'"7"',
        r'"8"',
    ],
)
HEADERS = (
    *["application/cloudevents+json", "application/json", "charset=", "1.0", "2026-05-04T14:05:00Z"],
    *(
        f"{name}: "
        for name in [
            "ce_specversion",
            "ce_id",
            "ce_source",
            "ce_type",
            "ce_time",
            "content-type",
            "traceparent",
        ]
    ),
    *(f"{name}: " for name in ADDED),
)
TOML = (
    *["[[versions]]", "[versions.rules]", "[versions.necessity]", "[versions.structure]", "[versions.edits]"],
    *[
        "2019-01-01",
        "9999-12-31",
        "0001-01-01",
        "00:00:00",
        "inf",
        "nan",
        "1_000",
        "0x",
        "0b",
        "1e9",
        "'''",
        "{",
        "[",
    ],
    *(
        f"{key} = "
        for key in ["effective", "until", "fact", "one_of", "any_of", "at_least", "above", "default"]
    ),
)
TABLES = ("17311", "CCCCC", "20260701", "2026182", "Column 1", "HCPCS/CPT Code", "Practitioner", "Line Edit")

ALL = (
    Target("decode", decode.check, seeds.values, 29, 1 << 14, structure.event_changed, CONTRACT),
    Target(
        "headers", headers.check, seeds.records, 20, 1 << 14, structure.record_changed, CONTRACT + HEADERS
    ),
    Target("event", event.check, seeds.sequences, 2, 1 << 15, structure.event_changed, CONTRACT),
    Target("history", history.check, seeds.states, 6, 1 << 13, structure.state_changed),
    Target("importers", importers.check, seeds.releases, 9, 1 << 13, structure.lines_changed, TABLES),
    Target("policies", policies.check, seeds.policy_files, 1, 1 << 13, structure.lines_changed, TOML),
    Target("payers", payers.check, seeds.payer_files, 9, 1 << 12, structure.lines_changed, TOML),
    Target("letters", letters.check, seeds.letters, 8, 1 << 12, structure.record_changed, HEADERS),
    Target("traceparent", traceparent.check, seeds.traces, 8, 1 << 10, None, HEADERS),
    Target("lines", lines.check, seeds.files_of_lines, 8, 1 << 10),
)
TARGETS = {target.name: target for target in ALL}
