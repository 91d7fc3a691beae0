"""What a value that holds something of a claim shows of itself: its type, and no field.

Tracebacks with local variables, debuggers, ``rich`` and a careless ``f"{claim}"`` all ask for the same text.
A class that keeps Python's own ``repr`` shows nothing anyway.
"""

from __future__ import annotations

from typing import TypeVar

Kind = TypeVar("Kind")


def redacted(kind: type[Kind]) -> type[Kind]:
    """A struct, named tuple or data class whose ``repr``, ``str``, formats and rich show its name alone.

    It is the class that was given: encoding, equality, copies and pickles stay as they are, and subclasses
    inherit what it shows.
    """

    # Made inside: compiled to C, a function of a module is not bound to the value that it is asked for.
    def shown(self: object) -> str:
        return f"{type(self).__qualname__}(redacted)"

    def parts(_: object) -> list[str]:
        return ["redacted"]

    for name, method in (("__repr__", shown), ("__rich_repr__", parts)):
        setattr(kind, name, method)
    return kind
