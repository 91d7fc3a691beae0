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

    def of_warning(
        _: Warning | str, category: type[Warning], filename: str, lineno: int, *__: object, **___: object
    ) -> None:
        warned(category.__name__, f"{PurePath(*PurePath(filename).parts[-3:])}:{lineno}")

    sys.excepthook = lambda _, error, __: nobody_caught(error)
    sys.unraisablehook = of_finalizer
    threading.excepthook = of_thread
    warnings.showwarning = of_warning
