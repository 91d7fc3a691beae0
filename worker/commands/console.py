"""Where commands print what people read: standard output, styled when it is a terminal."""

from __future__ import annotations

import sys
from io import TextIOWrapper
from typing import NoReturn

from rich.console import Console
from rich.markup import escape

NOTICE = "PHI: protected health information, for those alone who need it for their work."
"""Said before anything that claims hold is shown."""
FILE_WIDTH = 400
"""Columns of a line that goes to a file or a pipe: more than a row has."""


class Output(Console):
    """Standard output, on which ids stay as they are written and a reader may stop reading.

    Whoever closes the pipe has seen enough: that raises ``BrokenPipeError``, which the command line ends on
    quietly, where rich would end the process as if the command had found a fault.
    """

    def __init__(self, *, highlight: bool = True) -> None:
        super().__init__(emoji=False, highlight=highlight)

    def on_broken_pipe(self) -> NoReturn:
        """Leave it to the command line what a closed pipe means."""
        raise BrokenPipeError


def screen() -> Output:
    """Standard output for what claims hold: what its encoding lacks is written as an escape."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    return Output()


def listing() -> Output:
    """The same for tables with many columns: where there is no screen to bound it, a row is one line."""
    output = screen()
    if not output.is_terminal:
        output.width = FILE_WIDTH
    return output


def literal(id_: str) -> str:
    """An id as it is, whatever it holds: no markup, and nothing that a terminal would obey."""
    return escape("".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in id_))
