"""The sentences that a rejection may say. None has room for a value that was sent, so none can leak."""

from __future__ import annotations

import re
from typing import get_args

from tests.contract.corpus import load_schema, schema_names
from worker.adjudication.decode import Reason, Rejected

REASONS = frozenset(get_args(Reason))


def _fields(schema: object) -> set[str]:
    """Every property that a schema names."""
    found: set[str] = set()
    if isinstance(schema, dict):
        properties = schema.get("properties")
        found.update(properties if isinstance(properties, dict) else ())
        for inner in schema.values():
            found |= _fields(inner)
    elif isinstance(schema, list):
        for inner in schema:
            found |= _fields(inner)
    return found


FIELDS = frozenset().union(*(_fields(load_schema(name)) for name in schema_names()))
_FIELD = "|".join(sorted(FIELDS))
_TYPE = r"(?:str|int|float|bool|null|object|array|date)"
_PATH = re.compile(rf"\$(?:\.(?:{_FIELD})|\[\d{{1,7}}\]|\[\.\.\.\])*|ce_(?:specversion|id|source|type|time)")
_SENTENCE = re.compile(
    "|".join((
        r"the value (?:is null|has \d{7,9} bytes, the limit is 1048576|is not UTF-8)",
        r"(?:not JSON|a number is too large) at byte \d{1,7}",
        r"the JSON is nested deeper than 254",
        r"NaN and Infinity are not JSON numbers",
        r"an object has the same key twice",
        r"the header is (?:missing|there twice|not UTF-8)",
        r"a header's name is not UTF-8",
        r"no such event type",
        rf"Object missing required field `(?:{_FIELD})`",
        rf"Expected `{_TYPE}(?: \| {_TYPE})*`(?:, got `{_TYPE}`)?",
        rf"Expected `{_TYPE}(?: \| {_TYPE})*` (?:of length )?(?:>=|<=|==|<|>) \d{{1,6}}",
        r"Expected `str` (?:in its published form|of the contract's form)",
        r"Invalid (?:enum value|value|RFC3339 encoded date)",
        r"Integer (?:value )?out of range",
        r"a line number is used twice",
        r"a lesion is listed twice",
        r"a pointer points past the diagnoses",
        r"a replacement or void names another claim as its original",
        r"no such claim is held",
        r"a claim of that id came before, in another event",
        r"a void is neither replaced nor made void",
        r"an event of the same source and id came before, with other content",
        r"the member's history is full, at twice its cap",
    ))
)  # fmt: skip


def assert_says_no_value(rejected: Rejected) -> None:
    """A reason of the closed set, a path of the contract's own fields, and one of the sentences."""
    assert rejected.reason in REASONS, rejected.reason
    assert _PATH.fullmatch(rejected.path), f"an unknown path: {rejected.path}"
    assert _SENTENCE.fullmatch(rejected.message), f"an unknown sentence: {rejected.message}"
