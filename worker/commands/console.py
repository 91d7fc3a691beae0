"""Where commands print what people read: standard output, styled when it is a terminal."""

from __future__ import annotations

from typing import NoReturn

from rich.console import Console


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
