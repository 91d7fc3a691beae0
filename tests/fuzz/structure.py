"""Changes that keep an input's form, so that the fuzzer gets behind the first check of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from random import Random
from typing import Any

import msgspec

from tests.contract.mutants import FOREIGN_VALUES, at, places
from tests.fuzz.framing import framed, record_of

HOSTILE = (
    "NaN", "-Infinity", "1e999", "-1e999", "1.0", "1e0", "-0", "01", r'"\ud800"', r'"\udc00\ud800"',
    r'"\u0000"', '"\x7f"', '{"x":1,"x":2}', '"9999-12-31"', '"0001-01-01"', '"99999999999.99"', "[null]",
    "{}", "/**/", "9" * 400, "9" * 5000, '"' + "A" * 81 + '"',
    "[" * 253 + "]" * 253, "[" * 300 + "]" * 300, '{"a":' * 260 + "1" + "}" * 260,
)  # fmt: skip
"""JSON text, some of it none, that is put in the place of a value as it stands here."""
_NUMBERS = (0, 1, -1, 2**31, 2**63 - 1, 2**63, 2**64 - 1, -(2**63), 3_652_059, 3_652_060)
"""Among them the last ordinal that a date has, and the one behind it."""
_NO_STATE = (msgspec.DecodeError, UnicodeDecodeError, OverflowError, RecursionError, TypeError)
"""What is not MessagePack when it is read, or has no place in it when it is written."""
_PLACE = "\x00here\x00"
_CELLS = (
    "", "0", "-1", "*", "99999999", "20269999", "0000000", "9999366", "0" * 5000, "9" * 5000, "CCCCC",
    "\xb2\xb2\xb2\xb2\xb2", "\x00", '"', "[" * 2000, "2026-02-30", "9999-12-31", "0001-01-01", "1e400",
    "nan", "0x" + "f" * 5000, "1979-05-27T07:32:00Z", "'''", "[[versions]]", "[versions.rules]", "x.y.z = 1",
    "17311",
)  # fmt: skip
"""What is put in the place of a cell of a table, or of a value of TOML."""


def event_changed(data: bytes, random: Random) -> bytes:
    """One JSON value in the input, which may be one of several lines, with something in it changed."""
    lines = data.split(b"\n")
    number = random.randrange(len(lines))
    if len(lines) > 1 and random.random() < 0.2:
        lines.insert(random.randrange(len(lines) + 1), lines[number])
    try:
        lines[number] = _written(_changed(json.loads(lines[number]), random), random)
    except (ValueError, RecursionError):
        return data[: random.randrange(len(data) + 1)]
    return b"\n".join(lines)


def record_changed(data: bytes, random: Random) -> bytes:
    """A record with its value changed, or one of its headers dropped, doubled, renamed or nulled."""
    value, headers = record_of(data)
    if random.random() < 0.4 or not headers:
        return framed(event_changed(value, random), headers)
    kept = list(headers)
    place = random.randrange(len(kept))
    name, raw = kept[place]
    other = kept[random.randrange(len(kept))]
    changed = random.choice(
        [
            [],
            [(name, raw), (name, raw)],
            [(other[0], raw)],
            [(name, other[1])],
            [(name, None)],
            [(name, b"")],
            [(name, raw)] * random.randrange(2, 200),
            [other, (name, raw)],
            [(name, (raw or b"") + b"\xff")],
        ]
    )
    return framed(value, [*kept[:place], *changed, *kept[place + 1 :]])


def state_changed(data: bytes, random: Random) -> bytes:
    """A stored history with something in it changed, a claim's own packed body among it."""
    head, packed = data[:2], data[2:]
    try:
        value = msgspec.msgpack.decode(packed)
    except _NO_STATE:
        return data
    if not isinstance(value, list):
        return data
    if random.random() < 0.2:
        head = bytes((random.randrange(256),)) + head[1:]
    try:
        return head + msgspec.msgpack.encode(_changed(value, random))
    except _NO_STATE:
        return data


def lines_changed(data: bytes, random: Random) -> bytes:
    """A text with a line dropped, doubled or moved, or with a cell or a value in it replaced."""
    lines = data.split(b"\n")
    place, other = random.randrange(len(lines)), random.randrange(len(lines))
    match random.randrange(4):
        case 0:
            del lines[place]
        case 1:
            lines.insert(other, lines[place])
        case 2:
            lines[place], lines[other] = lines[other], lines[place]
        case _:
            lines[place] = _cell_replaced(lines[place], random)
    return b"\n".join(lines)


def _cell_replaced(line: bytes, random: Random) -> bytes:
    for separator in (b"\t", b" = ", b",", b" "):
        cells = line.split(separator)
        if len(cells) > 1:
            cells[random.randrange(len(cells))] = random.choice(_CELLS).encode("latin-1")
            return separator.join(cells)
    return random.choice(_CELLS).encode("latin-1")


def _written(value: Any, random: Random) -> bytes:
    """As JSON text; now and then with something in the place of a value that no writer writes."""
    found = list(places(value)) if isinstance(value, dict | list) else []
    if not found or random.random() < 0.7:
        return json.dumps(value, ensure_ascii=random.random() < 0.5).encode(errors="surrogatepass")
    path = random.choice(found)
    at(value, path[:-1])[path[-1]] = _PLACE
    return (
        json.dumps(value).replace(json.dumps(_PLACE), random.choice(HOSTILE)).encode(errors="surrogatepass")
    )


def _changed(value: Any, random: Random) -> Any:
    """The value, itself changed in one place."""
    found = list(places(value)) if isinstance(value, dict | list) else []
    if not found:
        return random.choice(FOREIGN_VALUES)
    path = random.choice(found)
    within, step = at(value, path[:-1]), path[-1]
    random.choice(_CHANGES)(within, step, random, lambda: at(value, random.choice(found)))
    return value


def _dropped(within: Any, step: Any, random: Random, other: Callable[[], Any]) -> None:
    del within[step]


def _foreign(within: Any, step: Any, random: Random, other: Callable[[], Any]) -> None:
    within[step] = random.choice(FOREIGN_VALUES)


def _number(within: Any, step: Any, random: Random, other: Callable[[], Any]) -> None:
    within[step] = random.choice(_NUMBERS)


def _copied(within: Any, step: Any, random: Random, other: Callable[[], Any]) -> None:
    copied = deepcopy(other())
    if isinstance(within, list) and random.random() < 0.5:
        within.insert(step, copied)
    else:
        within[step] = copied


def _nudged(within: Any, step: Any, random: Random, other: Callable[[], Any]) -> None:
    """A little more or less, or a character or byte changed."""
    value = within[step]
    if isinstance(value, bool | float | dict | None):
        within[step] = not value
    elif isinstance(value, int):
        within[step] = value + random.choice((-400, -1, 1, 400))
    elif isinstance(value, list):
        within[step] = value * random.choice((0, 2, 60))
    elif value:
        place = random.randrange(len(value))
        piece = b"\xff" if isinstance(value, bytes) else random.choice("0123456789AZ.-")
        within[step] = value[:place] + piece + value[place + 1 :]  # type: ignore[operator]  of one type both


def _repacked(within: Any, step: Any, random: Random, other: Callable[[], Any]) -> None:
    """Bytes that hold MessagePack, changed inside."""
    value = within[step]
    if not isinstance(value, bytes):
        _nudged(within, step, random, other)
        return
    try:
        within[step] = msgspec.msgpack.encode(_changed(msgspec.msgpack.decode(value), random))
    except _NO_STATE:
        within[step] = value[: len(value) // 2]


_CHANGES = (_dropped, _foreign, _number, _copied, _nudged, _nudged, _repacked)
