"""A secret in a file, which may be renewed while the process runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from worker.stream.errors import Refused

if TYPE_CHECKING:
    from pathlib import Path

log = structlog.get_logger()


class SecretFile:
    """A secret that is read for every use. While its file cannot be read, the one that was read last is used.

    ``setting`` is the variable that names the file. Raises Refused if it cannot be read the first time.
    """

    def __init__(self, path: Path, setting: str) -> None:
        self._setting = setting
        self._path = path
        self._last = self._read()
        self._is_told = False

    def value(self) -> str:
        """The secret as it is now."""
        try:
            self._last, self._is_told = self._read(), False
        except Refused as error:
            if not self._is_told:  # every connection would say it again
                self._is_told = True
                log.warning("renewed secret cannot be used, the former one is", error=str(error))
        return self._last

    def _read(self) -> str:
        where = f"{self._setting}: the secret's file {self._path}"
        try:
            secret = self._path.read_text(encoding="utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            raise Refused(f"{where} is not UTF-8 text") from None  # the error holds the secret
        except OSError as error:
            raise Refused(f"{where} cannot be read: {error.strerror}") from error
        if not secret:  # as one is that is just being written
            raise Refused(f"{where} is empty")
        return secret
