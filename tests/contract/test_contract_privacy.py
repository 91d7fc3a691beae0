"""A dead letter never quotes what was sent: values are protected health information."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contract.corpus import example_documents
from tests.contract.modes import binary, structured
from tests.contract.mutants import places, replaced
from worker.adjudication.decode import Rejected, decode

MARKER = "Zq7Wx"
NUMBER = 86420975
EXAMPLES = list(example_documents().values())

DISGUISES = [
    MARKER,
    f"{MARKER}\n",
    f"`{MARKER}`",
    f"'{MARKER}",
    f'"{MARKER}',
    f"\"'`{MARKER}",
    f" - at `${MARKER}",
    f"x' - at `$.data.{MARKER}` - at `$.{MARKER}",
    f"{MARKER} ' \" ` - at `$",
    MARKER * 40,
]


def quotes_nothing(rejected: object) -> bool:
    if not isinstance(rejected, Rejected):
        return True
    said = rejected.path + rejected.message
    return MARKER not in said and str(NUMBER) not in said


@pytest.mark.parametrize("disguise", DISGUISES)
def test_a_value_in_any_place_is_not_quoted(disguise: str) -> None:
    for event in EXAMPLES[::9]:
        for path in places(event):
            for value in (disguise, [disguise], {disguise: disguise}, NUMBER, -NUMBER, NUMBER + 0.5):
                changed = replaced(event, path, value)
                assert quotes_nothing(decode(structured(changed))), path
                assert quotes_nothing(decode(json.dumps(changed, ensure_ascii=False).encode())), path
                if "data" in changed:
                    assert quotes_nothing(decode(*binary(changed))), path


@pytest.mark.parametrize("disguise", DISGUISES)
@pytest.mark.parametrize(
    "name", ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "content-type"]
)
def test_a_header_s_value_is_not_quoted(name: str, disguise: str) -> None:
    value, headers = binary(EXAMPLES[0])
    others = [header for header in headers if header[0] != name]
    assert quotes_nothing(decode(value, [*others, (name, disguise.encode())]))


@pytest.mark.parametrize(
    "value",
    [
        f'{{"claim_id":"{MARKER}"',
        f'{{"{MARKER}":1,"{MARKER}":2}}',
        f'{{"x":NaN,"y":"{MARKER}"}}',
        f'{{"x":{NUMBER}',
        f"{MARKER}",
        f'{{"x":"\\ud800{MARKER}"}}',
        f'{{"x":{NUMBER}e999}}',
    ],
)
def test_bytes_that_are_not_json_are_not_quoted(value: str) -> None:
    rejected = decode(value.encode())
    assert isinstance(rejected, Rejected)
    assert quotes_nothing(rejected)


@settings(max_examples=300, deadline=None)
@given(st.data(), st.text(max_size=12), st.text(max_size=12))
def test_a_value_in_any_disguise_is_not_quoted(data: st.DataObject, before: str, after: str) -> None:
    event: dict[str, Any] = data.draw(st.sampled_from(EXAMPLES))
    path = data.draw(st.sampled_from(list(places(event))))
    changed = replaced(event, path, f"{before}{MARKER}{after}")
    assert quotes_nothing(decode(json.dumps(changed, ensure_ascii=True).encode()))
