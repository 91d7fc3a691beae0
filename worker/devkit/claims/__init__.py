"""How a made-up claim comes about: a visit, what is billed of it, and what the records say."""

from typing import Any, TypeAlias

Event: TypeAlias = dict[str, Any]
"""A structured-mode CloudEvent, ready for JSON."""
