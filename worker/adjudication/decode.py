"""Bytes and headers to an event, or to the reason why not.

CloudEvents 1.0, binary and structured mode. Bad data is a value (``Rejected``), never an exception, and a
rejection's message never quotes what was sent: values are PHI.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256
from json import JSONDecodeError
from json import loads as slow_loads
from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec
import orjson

from worker.adjudication.claim import (
    DATA_TYPES,
    SUBMITTED,
    Claim,
    DocumentationReceived,
    Event,
    EventData,
    Lesion,
)
from worker.adjudication.cloudevent import Attributes, Envelope, Submission
from worker.adjudication.published import misformed

MAX_VALUE_BYTES = 1 << 20
"""The largest value of an input record, in bytes (contract, "Bounds")."""

MAX_DEPTH = 254
"""The deepest nesting of arrays and objects, the outermost included; orjson writes no deeper."""

MAX_NUMBER_DEPTH = 16
"""Nesting down to which 1.0 is read as 1; the contract's own fields lie above it."""

Reason: TypeAlias = Literal[
    "undecodable", "contract", "unknown_type", "key_mismatch", "too_large", "unknown_claim", "id_conflict",
    "internal_error",
]  # fmt: skip
Headers: TypeAlias = Sequence[tuple[str, bytes | None]]


class Rejected(NamedTuple):
    """Why an event is a dead letter: a reason of the closed set, a JSON path, and one line without values.

    ``path`` starts at the record's value (``$``), or is the name of the header at fault. When an event was
    decoded and cannot be decided, ``$`` is its data, the same in both modes.
    """

    reason: Reason
    path: str
    message: str


_decode_submission = msgspec.json.Decoder(Submission).decode
_decode_envelope = msgspec.json.Decoder(Envelope).decode
_decode_data = {name: msgspec.json.Decoder(shape).decode for name, shape in DATA_TYPES.items()}
_encode = msgspec.json.Encoder().encode
_attribute_names = {f"ce_{name}": name for name in Attributes.__struct_fields__}


def decode(value: bytes | None, headers: Headers = ()) -> Event | Rejected:
    """Decode a record's value and headers; without ``ce_`` headers the value is a whole CloudEvent."""
    if value is None:
        return Rejected("undecodable", "$", "the value is null")
    if len(value) > MAX_VALUE_BYTES:
        return Rejected("too_large", "$", f"the value has {len(value)} bytes, the limit is {MAX_VALUE_BYTES}")
    fault = _not_json(value)
    if fault is not None:
        return fault
    attributes = _binary_attributes(headers)
    if attributes is None:
        return _structured(value)
    if isinstance(attributes, Rejected):
        return attributes
    return _event(attributes, value, "$")


def _binary_attributes(headers: Headers) -> Attributes | Rejected | None:
    """The attributes in ``ce_`` headers; None in structured mode."""
    if any(key == "content-type" and _is_structured(raw) for key, raw in headers):
        return None
    found: dict[str, str] = {}
    for key, raw in headers:
        name = _attribute_names.get(key)
        if name is None:
            continue
        if name in found:
            return Rejected("contract", key, "the header is there twice")
        try:
            found[name] = (raw or b"").decode()
        except UnicodeDecodeError:
            return Rejected("contract", key, "the header is not UTF-8")
    if not found:
        return None
    for name in Attributes.__struct_fields__:
        if name not in found and name != "time":
            return Rejected("contract", f"ce_{name}", "the header is missing")
    try:
        return msgspec.convert(found, Attributes)
    except msgspec.ValidationError as error:
        path, message = _locate(error, "$")
        return Rejected("contract", path.replace("$.", "ce_", 1), message)


def _is_structured(content_type: bytes | None) -> bool:
    if content_type is None:
        return False
    return content_type.partition(b";")[0].strip().lower() == b"application/cloudevents+json"


def _structured(value: bytes) -> Event | Rejected:
    try:
        submission = _decode_submission(value)
        if submission.type == SUBMITTED and submission.data is not None:
            return _checked(submission, submission.data, "$.data")
    except msgspec.ValidationError:
        pass  # of another type, or at fault: what follows tells which, and where
    try:
        envelope = _decode_envelope(value)
    except msgspec.ValidationError as error:
        return Rejected("contract", *_locate(error, "$"))
    if not envelope.data and envelope.type in DATA_TYPES:
        return Rejected("contract", "$", "Object missing required field `data`")
    return _event(envelope, bytes(envelope.data), "$.data")


def _event(attributes: Attributes, raw: bytes, root: str) -> Event | Rejected:
    decoder = _decode_data.get(attributes.type)
    if decoder is None:
        return Rejected("unknown_type", "$.type" if root == "$.data" else "ce_type", "no such event type")
    try:
        data: EventData = decoder(raw)
    except msgspec.ValidationError:
        try:
            data = _with_integral_numbers(raw, DATA_TYPES[attributes.type])
        except msgspec.ValidationError as error:
            return Rejected("contract", *_locate(error, root))
    return _checked(attributes, data, root)


def _checked(attributes: Attributes, data: EventData, root: str) -> Event | Rejected:
    path = misformed(data)
    if path is not None:
        return Rejected("contract", root + path, "Expected `str` in its published form")
    broken = _broken_rule(data)
    if broken is not None:
        path, message = broken
        return Rejected("contract", root + path, message)
    canonical = _encode((attributes.source, attributes.id, attributes.type, data))
    return Event(
        attributes.source,
        attributes.id,
        attributes.type,
        attributes.time,
        data,
        "sha256:" + sha256(canonical).hexdigest(),
    )


def _locate(error: msgspec.ValidationError, root: str) -> tuple[str, str]:
    """The JSON path and the message of a validation error, the offending value taken out of it.

    msgspec puts the path last and quotes values before it, so the last path is the true one, and a message
    is safe up to its first quotation mark, whatever the value holds.
    """
    message, separator, path = str(error).rpartition(" - at `$")
    if not separator:
        message, path = path, ""
    message = _QUOTATION.sub("", message).replace("matching regex", "of the contract's form")
    return root + path.rstrip("`"), message


_QUOTATION = re.compile(r" ['\"].*", re.DOTALL)


def _not_json(value: bytes) -> Rejected | None:
    """Whether the value is unambiguous JSON: well-formed UTF-8, no NaN, no key twice in an object."""
    try:
        written = orjson.dumps(orjson.loads(value))
    except orjson.JSONDecodeError:
        return _why_not_json(value)
    except orjson.JSONEncodeError:
        return _TOO_DEEP
    # Re-encoding keeps one of each key, so a compact value that comes back unchanged has none twice.
    if written == value:
        return None
    # Else, without escapes and without space before a colon, every key ends in `":`, and the counts differ
    # when a key is twice. Anything unusual takes the exact, slow way.
    if b"\\" not in value and not _SPACED_COLON(value) and value.count(b'":') == written.count(b'":'):
        return None
    return _why_not_json(value)


_SPACED_COLON = re.compile(rb"[ \t\r\n]:").search
_TOO_DEEP = Rejected("undecodable", "$", f"the JSON is nested deeper than {MAX_DEPTH}")


class _BrokenJsonError(ValueError):
    """JSON that a parser may read, and the contract does not allow."""


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _BrokenJsonError("an object has the same key twice")
    return found


def _no_constant(_: str) -> None:
    raise _BrokenJsonError("NaN and Infinity are not JSON numbers")


def _why_not_json(value: bytes) -> Rejected | None:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return Rejected("contract", "$", "the value is not UTF-8")
    if _is_too_deep(text):  # before json, whose own limit depends on the caller's stack
        return _TOO_DEEP
    try:
        slow_loads(
            text, object_pairs_hook=_unique_keys, parse_constant=_no_constant, parse_int=str, parse_float=str
        )
        orjson.loads(value)
    except _BrokenJsonError as broken:
        return Rejected("contract", "$", str(broken))
    except JSONDecodeError as error:
        what = "a number is too large" if "infinity" in error.msg else "not JSON"
        return Rejected("undecodable", "$", f"{what} at byte {len(text[: error.pos].encode())}")
    return None


def _is_too_deep(text: str) -> bool:
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return False
    depth = 0
    for token in _STRING_OR_BRACKET(text):
        bracket = token.group()
        if bracket in {"[", "{"}:
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif bracket in {"]", "}"}:
            depth -= 1
    return False


_STRING_OR_BRACKET = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[][{}]', re.DOTALL).finditer


def _with_integral_numbers(raw: bytes, shape: type[EventData]) -> EventData:
    """Decode again with 1.0 read as 1: to JSON Schema both are the same integer."""
    return msgspec.convert(_integral(orjson.loads(raw), MAX_NUMBER_DEPTH), shape)


def _integral(value: Any, depth: int) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if depth and isinstance(value, dict):
        return {key: _integral(item, depth - 1) for key, item in value.items()}
    if depth and isinstance(value, list):
        return [_integral(item, depth - 1) for item in value]
    return value


def _broken_rule(data: EventData) -> tuple[str, str] | None:
    """The first rule across fields that is broken, as path and message; JSON Schema cannot say these."""
    if isinstance(data, Claim):
        known, numbers = len(data.diagnoses), set()
        for position, line in enumerate(data.lines):
            if line.line in numbers:
                return f".lines[{position}].line", "a line number is used twice"
            numbers.add(line.line)
            if max(line.diagnosis_pointers) > known:
                return f".lines[{position}].diagnosis_pointers", "a pointer points past the diagnoses"
        if data.frequency_code != "1" and data.original_claim_id in {None, data.claim_id}:
            return ".original_claim_id", "a replacement or void names another claim as its original"
    if isinstance(data, (Claim, DocumentationReceived)) and data.documentation is not None:
        return _repeated_lesion(data.documentation.lesions or ())
    return None


def _repeated_lesion(lesions: Sequence[Lesion]) -> tuple[str, str] | None:
    names = set()
    for position, lesion in enumerate(lesions):
        if lesion.lesion in names:
            return f".documentation.lesions[{position}].lesion", "a lesion is listed twice"
        names.add(lesion.lesion)
    return None
