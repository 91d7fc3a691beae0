"""Parsed TOML to the typed values of a policy, or to what is wrong with its form, key by key.

The form is what the types of ``worker.adjudication.policy`` say, and that a threshold is one plain decimal
string; ``schemas/policy.schema.json`` says the same. What goes beyond one key's form is in ``checks``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from datetime import date
from typing import Any, NamedTuple, get_args

import msgspec
from msgspec import Struct

from worker.adjudication.claim import Borders, Histology, Id, Site
from worker.adjudication.policy import (
    BooleanFact,
    Bundling,
    Document,
    Edits,
    Indication,
    Necessity,
    Rule,
    Structure,
    Version,
)


class Misfit(NamedTuple):
    """A value that does not have the form it should: at which key, and why."""

    key: str
    reason: str


class Payers(Struct, frozen=True, forbid_unknown_fields=True):
    """Which policy says when Mohs surgery is necessary: by payer id, and for every other payer."""

    default: Id
    necessity: dict[Id, Id] = {}


def document_of(parsed: dict[str, Any]) -> Document | list[Misfit]:
    """The policy that a parsed file holds, or at least one misfit."""
    try:
        document = msgspec.convert(parsed, Document)
    except msgspec.ValidationError:
        return list(_misfits_of_document(parsed))
    return list(_misfits_of_thresholds(parsed)) or document


def payers_of(parsed: dict[str, Any]) -> Payers | list[Misfit]:
    """The choice of policies by payer that a parsed file holds, or its misfit."""
    try:
        return msgspec.convert(parsed, Payers)
    except msgspec.ValidationError:
        return list(_misfits_of_payers(parsed))


# msgspec stops at its first error and does not tell the keys of a table, so after a failure the parts are
# converted one by one; a part's place in its whole is then taken by something that fits.

_A_RULE = {"citation": "any"}
_AN_INDICATION = {
    "id": "any",
    "citation": "any",
    "summary": "any",
    "any_of": [{"fact": "borders", "one_of": []}],
}
_A_VERSION = {"version": "any", "effective": date.min, "changes": "any", "rules": {"any": _A_RULE}}
_SECTIONS: dict[str, type[Struct]] = {"structure": Structure, "bundling": Bundling, "edits": Edits}


def _misfits_of_document(parsed: dict[str, Any]) -> Iterator[Misfit]:
    versions = parsed.get("versions")
    if not isinstance(versions, list) or not versions:
        yield from _misfits(parsed, Document, "")
        return
    yield from _misfits({**parsed, "versions": [_A_VERSION]}, Document, "")
    for position, version in enumerate(versions):
        yield from _misfits_of_version(version, f"versions[{position}]")


def _misfits_of_version(version: Any, key: str) -> Iterator[Misfit]:
    if not isinstance(version, dict):
        yield from _misfits(version, Version, key)
        return
    whole = {name: value for name, value in version.items() if name not in {*_SECTIONS, "necessity"}}
    rules = version.get("rules")
    if isinstance(rules, dict):
        whole["rules"] = {}
        for rule, written in rules.items():
            yield from _misfits(written, Rule, f'{key}.rules."{rule}"')
    yield from _misfits(whole, Version, key)
    if "necessity" in version:
        yield from _misfits_of_necessity(version["necessity"], f"{key}.necessity")
    for name, section in _SECTIONS.items():
        if name in version:
            yield from _misfits(version[name], section, f"{key}.{name}")


def _misfits_of_necessity(necessity: Any, key: str) -> Iterator[Misfit]:
    indications = necessity.get("indications") if isinstance(necessity, dict) else None
    if not isinstance(indications, list) or not indications:
        yield from _misfits(necessity, Necessity, key)
        return
    yield from _misfits({**necessity, "indications": [_AN_INDICATION]}, Necessity, key)
    for position, indication in enumerate(indications):
        yield from _misfits(indication, Indication, f"{key}.indications[{position}]")


def _misfits_of_payers(parsed: dict[str, Any]) -> Iterator[Misfit]:
    payers = parsed.get("necessity")
    if not isinstance(payers, dict):
        yield from _misfits(parsed, Payers, "")
        return
    yield from _misfits({**parsed, "necessity": {}}, Payers, "")
    for payer, policy in payers.items():
        for name in (payer, policy):
            yield from _misfits(name, Id, f'necessity."{payer}"')


def _misfits(value: Any, form: Any, key: str) -> Iterator[Misfit]:
    try:
        msgspec.convert(value, form)
    except msgspec.ValidationError as error:
        yield _misfit(error, key)


def _misfit(error: msgspec.ValidationError, key: str) -> Misfit:
    """The key and the reason of a conversion's error, with the nearest word of the vocabularies."""
    reason, _, path = str(error).partition(" - at `")
    inner = path.rpartition("$")[2].rstrip("`")
    word = re.search("'(.*)'", reason)
    near = difflib.get_close_matches(word[1], _WORDS, n=1) if word else []
    return Misfit((key + inner).lstrip("."), reason + (f"; did you mean {near[0]!r}?" if near else ""))


_WORDS = (
    *("site", "true", "borders", "histology", "diameter_cm"),
    *(word for vocabulary in (BooleanFact, Site, Histology, Borders) for word in get_args(vocabulary)),
)

_THRESHOLD = re.compile(r"[0-9]{1,4}(\.[0-9]{1,4})?", re.ASCII)
_BOUNDS = ("at_least", "above")


def _misfits_of_thresholds(parsed: dict[str, Any]) -> Iterator[Misfit]:
    """Asked of a file that fits its types: they would take a float, which is not the number it shows."""
    for first, version in enumerate(parsed["versions"]):
        for second, indication in enumerate(version.get("necessity", {}).get("indications", ())):
            for third, criterion in enumerate(indication["any_of"]):
                if criterion["fact"] == "diameter_cm":
                    key = f"versions[{first}].necessity.indications[{second}].any_of[{third}]"
                    yield from _misfits_of_diameter(criterion, key)


def _misfits_of_diameter(criterion: dict[str, Any], key: str) -> Iterator[Misfit]:
    given = [bound for bound in _BOUNDS if bound in criterion]
    if len(given) != 1:
        yield Misfit(key, "a diameter has exactly one of at_least and above")
    for bound in given:
        value = criterion[bound]
        if not isinstance(value, str) or _THRESHOLD.fullmatch(value) is None:
            yield Misfit(f"{key}.{bound}", 'a threshold is a quoted decimal of centimetres, such as "2.0"')
