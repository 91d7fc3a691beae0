"""Where Python turns with what nobody caught: an exception of a thread or a finalizer, a warning.

By itself it prints their texts, and any of these may quote a claim. Whoever tells them instead gets no text.
"""

from __future__ import annotations

import sys
import threading
import warnings
from pathlib import PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO


def turn_to(
    nobody_caught: Callable[[BaseException], None],
    raised: Callable[[str, BaseException], None],
    warned: Callable[[str, str], None],
) -> None:
    """Have told what ends the main thread, what raised beside it, and warnings by category and place."""

    def of_finalizer(unraisable: sys.UnraisableHookArgs) -> None:
        if unraisable.exc_value is not None:
            raised("a finalizer or callback raised", unraisable.exc_value)

    def of_thread(ended: threading.ExceptHookArgs) -> None:
        if ended.exc_value is not None and not isinstance(ended.exc_value, SystemExit):
            raised("a thread raised", ended.exc_value)

    def of_warning(  # as ``warnings`` calls it
        message: Warning | str,  # noqa: ARG001  it may quote a claim
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,  # noqa: ARG001  whoever tells it has a place for it
        line: str | None = None,  # noqa: ARG001  the place says it
    ) -> None:
        warned(category.__name__, f"{PurePath(*PurePath(filename).parts[-3:])}:{lineno}")

    sys.excepthook = lambda _, error, __: nobody_caught(error)
    sys.unraisablehook = of_finalizer
    threading.excepthook = of_thread
    warnings.showwarning = of_warning
