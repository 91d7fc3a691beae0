"""What a worker or command can open and seal with, as its settings say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from worker.stream.errors import Refused
from worker.stream.sealing.closed import CannotOpen
from worker.stream.sealing.envelope import Damaged, parts_of

if TYPE_CHECKING:
    from pathlib import Path

    from worker.settings import Settings
    from worker.stream.sealing.envelope import Place
    from worker.stream.sealing.master import MasterKey
    from worker.stream.sealing.sealer import Sealer


class Opener(Protocol):
    """Opens sealed values."""

    def open(self, value: bytes, place: Place, key: bytes | None) -> tuple[str, bytes]:
        """The id of the key that it was sealed with, and the value. Raises CannotOpen."""


class WithoutKeys:
    """Opens nothing, and says what it lacks."""

    def open(self, value: bytes, place: Place, key: bytes | None) -> tuple[str, bytes]:  # noqa: ARG002  as Opener has it
        """Raise CannotOpen."""
        try:
            name = parts_of(value).key_id
        except Damaged as damaged:
            raise CannotOpen.damaged(damaged) from None
        raise CannotOpen.lacking(
            name, "MMS_SEALING_KEYS_DIR is not set", "set it to a folder that has the file of that key"
        )


def opener_of(settings: Settings) -> Opener:
    """What opens, with the keys that are in the folder now.

    Raises Refused where one cannot be read, or what they are used by is not installed.
    """
    if settings.sealing_keys_dir is None:
        return WithoutKeys()
    keys = _keys(settings.sealing_keys_dir)

    from worker.stream.sealing.opener import FolderOpener  # noqa: PLC0415  an optional extra

    return FolderOpener(keys, settings.sealing_keys_dir)


def sealer_of(settings: Settings) -> Sealer | None:
    """What seals, with a new data key; None where nothing is to be sealed. Refuses as ``opener_of``."""
    if settings.sealing_keys_dir is None or settings.sealing_key is None:
        return None
    keys = _keys(settings.sealing_keys_dir)
    if settings.sealing_key not in keys:
        raise Refused(
            f"MMS_SEALING_KEY names the key {settings.sealing_key}, which {settings.sealing_keys_dir} "
            "(MMS_SEALING_KEYS_DIR) does not have; put the key's file there first"
        )

    from worker.stream.sealing.sealer import Sealer  # noqa: PLC0415  an optional extra

    return Sealer(keys[settings.sealing_key])


def _keys(folder: Path) -> dict[str, MasterKey]:
    try:
        from worker.stream.sealing.folder import read_keys  # noqa: PLC0415  an optional extra
    except ImportError as missing:
        raise Refused(
            "MMS_SEALING_KEYS_DIR needs cryptography, which is not installed: "
            "pip install 'mms-adjudication-worker[crypto]'"
        ) from missing
    return read_keys(folder)
