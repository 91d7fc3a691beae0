"""The published form of codes and decimal strings, and a quick way to tell it.

Checking a claim's strings one by one against patterns took a fourth of decoding it. Codes and prices recur,
so what was found right is remembered, and most strings are told by one look-up.
"""

from __future__ import annotations

import re

from worker.adjudication.claim import Claim, Documentation, DocumentationReceived, EventData

REMEMBERED = 1 << 13
"""Strings remembered for each form; a memo, so forgetting changes nothing but speed."""


class Form:
    """A form that strings must have, as an ECMA-262 pattern that must match them whole."""

    def __init__(self, pattern: str) -> None:
        self._matches = re.compile(pattern).fullmatch
        self._right: set[str] = set()

    def fits(self, text: str) -> bool:
        """Whether a string has the form."""
        if text in self._right:
            return True
        if self._matches(text) is None:
            return False
        if len(self._right) >= REMEMBERED:
            self._right.clear()
        self._right.add(text)
        return True


PROCEDURE = Form("[0-9A-Z]{5}")
DIAGNOSIS = Form(r"[A-Z][0-9A-Z]{2}(\.[0-9A-Z]{1,4})?")
MODIFIER = Form("[0-9A-Z]{2}")
MONEY = Form(r"[0-9]{1,12}(\.[0-9]{1,2})?")
CENTIMETRES = Form(r"[0-9]{1,4}(\.[0-9]{1,4})?")


def misformed(data: EventData) -> str | None:
    """The path of the first string that lacks its published form, below the data; None when all have it."""
    if isinstance(data, Claim):
        return _in_claim(data)
    return _in_records(data.documentation) if isinstance(data, DocumentationReceived) else None


def _in_claim(claim: Claim) -> str | None:
    for position, code in enumerate(claim.diagnoses):
        if not DIAGNOSIS.fits(code):
            return f".diagnoses[{position}]"
    for position, line in enumerate(claim.lines):
        if not PROCEDURE.fits(line.procedure):
            return f".lines[{position}].procedure"
        if not MONEY.fits(line.charge):
            return f".lines[{position}].charge"
        for place, modifier in enumerate(line.modifiers):
            if not MODIFIER.fits(modifier):
                return f".lines[{position}].modifiers[{place}]"
    return None if claim.documentation is None else _in_records(claim.documentation)


def _in_records(documentation: Documentation) -> str | None:
    for position, lesion in enumerate(documentation.lesions or ()):
        if lesion.diameter_cm is not None and not CENTIMETRES.fits(lesion.diameter_cm):
            return f".documentation.lesions[{position}].diameter_cm"
    return None
