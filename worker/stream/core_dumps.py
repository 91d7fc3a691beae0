"""Keeps what this process holds in memory out of core dumps, and from other processes of its user."""

from __future__ import annotations

import ctypes
import resource
import sys

_PR_SET_DUMPABLE = 4
"""prctl(2): whether the kernel dumps core, and whether an ordinary process of the same user may attach."""


def forbid_core_dumps() -> None:
    """Set the limit of core dumps to 0, for children too, and on Linux have the kernel write none.

    A ``core_pattern`` that pipes dumps to a program ignores the limit, and heeds the second. That one lasts
    until the process starts another program; processes that it spawns ask anew. It also keeps debuggers and
    profilers of the same user out, unless they have ``CAP_SYS_PTRACE``. Where the system refuses, it goes on.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
