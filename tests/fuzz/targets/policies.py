"""A policy file, the name of the policy on its first line as a comment: faults, or a policy that decides."""

from __future__ import annotations

import tempfile
import tomllib
from functools import cache
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.contract.corpus import example_files
from tests.fuzz.published import read_published
from tests.fuzz.targets.event import reference
from worker.adjudication import Reference, Rejected, adjudicate, decode, encode
from worker.adjudication.claim import Event
from worker.adjudication.policy import Document
from worker.policies.catalog import PACKAGE_POLICIES, PAYERS, load
from worker.policies.catalog import check as faults_of
from worker.policies.errors import PolicyError
from worker.policies.form import document_of

NAMES = tuple(sorted(path.stem for path in PACKAGE_POLICIES.glob("*.toml") if path.name != PAYERS))


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="mms-fuzz-")


@cache
def _claims() -> tuple[Event, ...]:
    decoded = [decode(path.read_bytes()) for path in example_files()[::24]]
    return tuple(event for event in decoded if isinstance(event, Event))


def check(data: bytes) -> None:
    head = data.partition(b"\n")[0].decode(errors="replace").strip("# ")
    assert_told(head if head in NAMES else NAMES[len(head) % len(NAMES)], data)


def assert_told(name: str, content: bytes) -> None:
    """All that is wrong is told, and ``load`` refuses by the same faults; what has none decides claims."""
    folder = Path(_folder().name)
    file = folder / f"{name}.toml"
    file.write_bytes(content)
    try:
        faults = faults_of(folder)
        assert all(fault.reason for fault in faults)
        with pytest.raises(PolicyError) as refused:
            load(folder, draft=True)
        assert list(refused.value.faults) == faults
        if name != "payers" and not any(fault.file == file for fault in faults):
            _assert_decides(name, content)
    finally:
        file.unlink()


def _assert_decides(name: str, content: bytes) -> None:
    document = document_of(tomllib.loads(content.decode()))
    assert isinstance(document, Document)
    shipped = reference().policies
    policies = replace(shipped, documents={**shipped.documents, name: document}, digest="sha256:" + "0" * 64)
    changed = Reference(policies, reference().code_sets)
    for event in _claims():
        answer = adjudicate(event, None, changed)
        if not isinstance(answer, Rejected):
            for result in answer.results:
                read_published(encode(result))
