"""``icd10cm_order_YYYY.txt`` of CDC/NCHS and CMS: every ICD-10-CM code of a fiscal year in tabular order.

Fixed width, no header: order number (5), space, code without its dot (7, padded), space, ``0`` header or
``1`` billable, space, short description (60), space, long description. A fiscal year begins on 1 October of
the year before. The update of 1 April carries the same file name: tell it by ``effective``.
"""

from __future__ import annotations

import re
from pathlib import Path

from worker.codes.errors import CodeSetError
from worker.codes.publishers.draft import Draft, compact_date, lines_of
from worker.codes.sets import ICD10CM
from worker.codes.tables.icd10cm import render_icd10cm

_NAME = re.compile(r"icd10cm[_-]order[_-]([12]\d{3})(?!\d)", re.IGNORECASE)
_LINE = re.compile(r"\d{5} ([A-Z][0-9A-Z]{2}[0-9A-Z]{0,4}) {0,4} ([01])(?: .*)?")
_FLAG_AT = 14


def read_icd10cm_order(files: list[Path]) -> Draft:
    """The release of one order file; raises ``CodeSetError`` with the line that does not fit."""
    if len(files) != 1:
        raise CodeSetError(files[1], None, "an ICD-10-CM release is one order file")
    (path,) = files
    if "addenda" in path.name.lower():
        raise CodeSetError(path, None, "an addenda file lists changes only: give the order file itself")
    codes: dict[str, bool] = {}
    for number, line in lines_of(path):
        fields = _LINE.fullmatch(line)
        if fields is None or fields.start(2) != _FLAG_AT:
            raise CodeSetError(path, number, "not: order number (5), code (7), 0 or 1, descriptions")
        code = _published(fields[1])
        if code in codes:
            raise CodeSetError(path, number, f"{code} stands here twice")
        codes[code] = fields[2] == "1"
    if not codes:
        raise CodeSetError(path, None, "no code in it")
    named = _NAME.search(path.name)
    if named is None:
        return Draft(ICD10CM, None, None, render_icd10cm(codes))
    effective = compact_date(f"{int(named[1]) - 1}1001")
    return Draft(ICD10CM, effective, f"FY{named[1]}", render_icd10cm(codes))


def _published(code: str) -> str:
    return f"{code[:3]}.{code[3:]}" if len(code) > 3 else code
