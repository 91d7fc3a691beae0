"""The rules compiled to C decide as the Python files that they were compiled from, to the byte.

``make compiled`` makes a tree of its own, ``build/compiled``, whose rules are C; the image has the same. Both
trees do the same work here, each in a process of its own that says a digest of every answer.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from importlib import import_module
from inspect import getmembers, isclass
from pathlib import Path
from typing import NamedTuple

import msgspec
import orjson
import pytest

from tests import hook
from tests.contract.corpus import example_files, history_files
from worker.adjudication import (
    Adjudicated,
    Limits,
    Reference,
    Rejected,
    adjudicate,
    adjudicate_alone,
    decode,
    encode,
    standing,
    stored,
)
from worker.adjudication.claim import Event
from worker.adjudication.decode import MAX_DEPTH, MAX_VALUE_BYTES
from worker.devkit.generator import bad_records, events, histories
from worker.reference import load_reference
from worker.stream.deadletters import internal_error

ROOT = hook.ROOT
TREE = ROOT / "build" / "compiled"
IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}

SEED = 23
CLAIMS, BAD, EVENTS, MEMBERS = 2_000, 500, 5_000, 400
NARROW = Limits(look_back_days=400, max_bytes=4_000, max_day_lines=12)
"""So tight that histories are cut, days are crowded and members are full."""
LIMIT_S = 300


class Said(NamedTuple):
    """What a tree says."""

    files: dict[str, str]
    """Of the modules that the build hook is pointed at, by name."""
    answers: list[str]
    """What was asked, and a digest of the answer."""
    raised: dict[str, str]
    """What the calls of ``raising`` come to, by name: exception and place, as dead letters tell them."""


def main() -> None:
    """Say it as JSON; run in each tree."""
    modules = {name: import_module(name) for name in sorted(hook.included())}
    files = {name: str(module.__file__) for name, module in modules.items()}
    reference = load_reference()
    outcomes = {name: outcome(call) for name, call in raising(reference).items()}
    sys.stdout.write(json.dumps(Said(files, list(answers(reference)), outcomes)))


def answers(reference: Reference) -> Iterator[str]:
    for event in events(CLAIMS, SEED):
        yield line(f"claim {event['id']}", alone(orjson.dumps(event), reference))
    for record in bad_records(BAD, SEED):
        yield line(f"bad record of {record.key!r}", repr(decode(record.value)).encode())
    for limits in (Limits(), NARROW):
        mingled = map(orjson.dumps, histories(EVENTS, SEED, MEMBERS, strays=True))
        yield from folded(f"{limits}", mingled, limits, reference)
    for path in example_files():
        yield from folded(f"example {path.name}", [path.read_bytes()], Limits(), reference)
    for path in history_files():
        yield from folded(f"example {path.name}", path.read_bytes().splitlines(), Limits(), reference)


def line(what: str, content: bytes) -> str:
    return f"{what}: {blake2b(content, digest_size=8).hexdigest()}"


def alone(value: bytes, reference: Reference) -> bytes:
    event = decode(value)
    assert isinstance(event, Event)
    result = adjudicate_alone(event, reference)
    return repr(result).encode() if isinstance(result, Rejected) else encode(result)


def folded(what: str, values: Iterable[bytes], limits: Limits, reference: Reference) -> Iterator[str]:
    """All that comes of each event: results, the history with them, counts, and what stands of its claim."""
    held: dict[str, bytes] = {}
    for number, value in enumerate(values):
        event = decode(value)
        answer = (
            adjudicate(event, held.get(event.data.member_id), reference, limits)
            if isinstance(event, Event)
            else event
        )
        if isinstance(answer, Adjudicated):
            assert isinstance(event, Event)
            member, claim_id = event.data.member_id, event.data.claim_id
            held[member] = answer.history or held[member]
            stands = standing(event, held[member], claim_id, reference)
            results = [encode(result) for result in (*answer.results, *([stands] if stands else []))]
            counts = repr((answer.change, answer.again, answer.evicted)).encode()
            content = b"\n".join((counts, *results, held[member]))
        else:
            content = repr(answer).encode()
        yield line(f"{what}, event {number}", content)


def raising(reference: Reference) -> dict[str, Callable[[], object]]:
    """Calls that raise, or that would if the rules trusted what they are given."""
    value = orjson.dumps(next(events(1, SEED)))
    event = decode(value)
    assert isinstance(event, Event)
    answer = adjudicate(event, None, reference)
    assert isinstance(answer, Adjudicated)
    held = answer.history
    assert held is not None
    foreign = bytes((stored.VERSION + 1,)) + held[1:]
    deep = [b"[" * depth + b"1.0" + b"]" * depth for depth in (MAX_DEPTH - 2, MAX_DEPTH + 1, 100_000)]
    return {
        "a history of another version": lambda: adjudicate(event, foreign, reference),
        "a history without a version": lambda: adjudicate(event, b"", reference),
        "a history cut short": lambda: adjudicate(event, held[:-1], reference),
        "a history of other bytes": lambda: stored.read(held[:1] + b"\xc1"),
        "standing in a history of another version": lambda: standing(event, foreign, "", reference),
        "no value": lambda: decode(None),
        "a value too large": lambda: decode(b" " * (MAX_VALUE_BYTES + 1)),
        "a value that is not UTF-8": lambda: decode(b"\xff"),
        "an integer of many digits": lambda: decode(b'{"specversion":' + b"9" * 5_000 + b"}"),
        "an integer with a point": lambda: decode(value.replace(b'"line":1,', b'"line":1.0,')),
        "a header without a value": lambda: decode(b"{}", [("ce_id", None), ("content-type", None)]),
        "headers as aiokafka has them": lambda: decode(b"{}", (("content-type", b"application/json"),)),
        **{f"nested in {len(value)} bytes": lambda value=value: decode(value) for value in deep},
        **{
            f"nested data in {len(value)} bytes": lambda value=value: decode(_with_data(value))
            for value in deep
        },
    }


def _with_data(data: bytes) -> bytes:
    attributes = b'"specversion":"1.0","id":"1","source":"/s","type":"mms.claim.voided.v1"'
    return b"{" + attributes + b',"data":{"x":' + data + b"}}"


def outcome(call: Callable[[], object]) -> str:
    """The type and the place of what a call raises; else what it gives."""
    try:
        given = call()
    except Exception as error:  # noqa: BLE001  whatever it is, both must raise it
        return internal_error(error).message
    return repr(given)


@pytest.fixture(scope="module")
def trees() -> tuple[Said, Said]:
    """What the sources say, and what their compiled tree says, which must be made of the same files."""
    if lack := lacking():
        if IN_CI:
            pytest.fail(f"CI must test the compiled rules: {lack}: make compiled", pytrace=False)
        pytest.skip(f"THE COMPILED RULES WERE NOT TESTED: {lack}: make compiled")
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", "from tests.test_compiled import main; main()"],
            cwd=tree,
            env={**os.environ, "PYTHONPATH": ""},
            stdout=subprocess.PIPE,
            text=True,
        )
        for tree in (ROOT, TREE)
    ]
    try:
        said = [process.communicate(timeout=LIMIT_S)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0]
    plain, compiled = (Said(*json.loads(text)) for text in said)
    return plain, compiled


def lacking() -> str | None:
    """What keeps the compiled tree from being compared, None if nothing does."""
    if not (TREE / ".built").exists():
        return "there is no build/compiled"
    others = differing()
    more = f" and {len(others) - 3} more" if len(others) > 3 else ""
    return f"build/compiled is of other files ({', '.join(others[:3])}{more})" if others else None


def differing() -> list[str]:
    """Files that the compiled tree was not made of, or that it was made of and are no more."""
    kept = [ROOT / "pyproject.toml", *ROOT.glob("worker/**/*.py")]
    copied = [TREE / "pyproject.toml", *TREE.glob("worker/**/*.py")]
    here = {str(path.relative_to(ROOT)): path.read_bytes() for path in kept}
    there = {str(path.relative_to(TREE)): path.read_bytes() for path in copied}
    return sorted(name for name in here.keys() | there.keys() if here.get(name) != there.get(name))


def test_every_answer_is_the_same_to_the_byte(trees: tuple[Said, Said]) -> None:
    plain, compiled = trees
    assert len(plain.answers) > CLAIMS + BAD + 2 * EVENTS
    others = [pair for pair in zip(plain.answers, compiled.answers, strict=True) if len(set(pair)) > 1]
    assert others[:5] == []


def test_what_raises_raises_the_same_in_c(trees: tuple[Said, Said]) -> None:
    """None of it is a TypeError, by which compiled code says that an annotation is not true."""
    plain, compiled = trees
    assert compiled.raised == plain.raised
    assert not [name for name, what in compiled.raised.items() if "TypeError" in what]
    unknown = stored.UnknownVersion.__name__
    foreign = {name for name, what in compiled.raised.items() if what.startswith(f"{unknown} at ")}
    assert foreign == {
        "a history of another version",
        "a history without a version",
        "standing in a history of another version",
    }


def test_a_bug_in_c_has_the_place_that_it_has_in_python(trees: tuple[Said, Said]) -> None:
    """Which a dead letter tells, and a stack trace does not: the file of a compiled frame is relative."""
    place = re.compile(r"DecodeError at worker/adjudication/stored\.py:[0-9]+ in read")
    for said in trees:
        assert place.fullmatch(said.raised["a history cut short"])
        assert place.fullmatch(said.raised["a history of other bytes"])


def test_the_rules_are_c_in_the_compiled_tree_and_nowhere_else(trees: tuple[Said, Said]) -> None:
    plain, compiled = trees
    assert {Path(file).suffix for file in plain.files.values()} == {".py"}
    assert {name for name, file in compiled.files.items() if file.endswith(".so")} == hook.compiled()
    assert all(Path(file).is_relative_to(TREE) for file in compiled.files.values())


def test_the_hook_is_pointed_at_the_rules_and_at_what_the_stream_does_for_every_record() -> None:
    assert {"worker.adjudication.decide", "worker.stream.deciding"} <= hook.compiled()
    rules = {path.stem for path in (ROOT / "worker" / "adjudication").glob("*.py")} - {"__init__"}
    assert {f"worker.adjudication.{name}" for name in rules} <= hook.included()


def test_what_the_hook_leaves_out_is_packages_and_modules_with_structs() -> None:
    """The metaclass of structs is one that mypyc does not know; whatever has none is to be compiled."""
    assert hook.left_out() == {name for name in hook.included() if _is_package(name) or _has_a_struct(name)}


def _is_package(name: str) -> bool:
    return hasattr(import_module(name), "__path__")


def _has_a_struct(name: str) -> bool:
    classes = getmembers(import_module(name), isclass)
    return any(issubclass(one, msgspec.Struct) and one.__module__ == name for _, one in classes)
