"""Whether what a container is told to run, and by which settings, is what the project has."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from worker.cli import app
from worker.settings import PREFIX, Settings, load_settings


def parsed(arguments: Sequence[str]) -> tuple[Any, dict[str, Any]]:
    """The function that ``mms-worker`` would call, and its arguments; raises what is wrong with them."""
    function, bound, _ = app.parse_args(list(arguments), print_error=False, exit_on_error=False)
    return function, dict(bound.arguments)


def settings_of(environment: Mapping[str, str]) -> Settings:
    """The settings of a process with this environment alone; raises what a worker would refuse."""
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.startswith(PREFIX):
                patch.delenv(name)
        for name, value in environment.items():
            patch.setenv(name, value)
        return load_settings()
