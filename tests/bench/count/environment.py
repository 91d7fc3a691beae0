"""What the counts hold for: the same code takes other instructions elsewhere, or on other inputs."""

from __future__ import annotations

import platform
import ssl
import subprocess
import sys
import sysconfig
from importlib.metadata import version
from pathlib import Path

from tests.bench.count.callgrind import CountError

_CPUINFO = Path("/proc/cpuinfo")


def environment(events: str) -> dict[str, str]:
    """All that the counts depend on beside the project's code; ``events`` is the digest of the inputs.

    Raises CountError where there is no valgrind or no C compiler.
    """
    return {
        "python": sys.version.replace("\n", " "),
        "orjson": version("orjson"),
        "msgspec": version("msgspec"),
        "openssl": ssl.OPENSSL_VERSION,
        "libc": " ".join(platform.libc_ver()),
        "compiler": _first_line(*sysconfig.get_config_var("CC").split()[:1], "--version"),
        "valgrind": _first_line("valgrind", "--version"),
        "machine": platform.machine() + _vectors(),
        "events": events,
    }


def _vectors() -> str:
    """The widest vectors that valgrind lets libraries see: they choose their functions by it."""
    flags = _CPUINFO.read_text().split() if _CPUINFO.exists() else []
    return "".join(f" {flag}" for flag in ("avx", "avx2") if flag in flags)


def _first_line(*command: str) -> str:
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.partition("\n")[0]
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        raise CountError(f"{command[0]} does not run: {error}") from error
