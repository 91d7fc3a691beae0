"""What redacted values hold, for tests: they show their type alone, so a text of them proves nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import msgspec
from aiokafka.protocol.struct import Struct as Message


def fields(kind: Any) -> tuple[str, ...]:
    """The fields of a struct, a named tuple, a data class or a message; none of any other class."""
    if issubclass(kind, msgspec.Struct):
        return kind.__struct_fields__
    if dataclasses.is_dataclass(kind):
        return tuple(field.name for field in dataclasses.fields(kind))
    if issubclass(kind, Message):
        return tuple(kind.SCHEMA.names)
    return getattr(kind, "_fields", ())


def spelled_out(value: Any) -> Any:
    """The same with each struct, named tuple and data class as a dict of its fields, however deep it lies."""
    names = fields(type(value))
    if names:
        return {"": type(value).__qualname__} | {name: spelled_out(getattr(value, name)) for name in names}
    if isinstance(value, Mapping):
        return {_key(key): spelled_out(inner) for key, inner in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(map(spelled_out, value), key=repr)
    if isinstance(value, (list, tuple)):
        return [spelled_out(inner) for inner in value]
    return value


def _key(key: Any) -> Any:
    """A dict is no key of another."""
    return str(spelled_out(key)) if fields(type(key)) or isinstance(key, (tuple, frozenset)) else key
