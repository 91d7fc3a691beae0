"""Reads the Dockerfile and .dockerignore as far as the tests need it: instructions, and what a build sees."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).resolve().parents[2]
DOCKERFILE = PROJECT / "deploy" / "Dockerfile"
IGNORE = PROJECT / ".dockerignore"


class Instruction(NamedTuple):
    """One instruction: its word, its flags (``--from=uv``), and the rest of it as it is written."""

    word: str
    flags: list[str]
    rest: str

    @property
    def words(self) -> list[str]:
        """The rest as words, in exec form or not."""
        return json.loads(self.rest) if self.is_exec else shlex.split(self.rest)

    @property
    def is_exec(self) -> bool:
        return self.rest.startswith("[")

    @property
    def variables(self) -> dict[str, str]:
        """Of ENV, ARG and LABEL."""
        return dict(word.split("=", 1) for word in self.words)


def stages() -> list[list[Instruction]]:
    """The stages, each from its FROM on; the first list holds what is before any FROM."""
    found: list[list[Instruction]] = [[]]
    for instruction in _instructions(DOCKERFILE.read_text()):
        if instruction.word == "FROM":
            found.append([])
        found[-1].append(instruction)
    return found


def _instructions(text: str) -> list[Instruction]:
    # As Docker does: comments go first, also those among continued lines.
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [_instruction(line.strip()) for line in joined.splitlines() if line.strip()]


def _instruction(line: str) -> Instruction:
    word, _, rest = line.partition(" ")
    flags = []
    while (rest := rest.strip()).startswith("--"):
        flag, _, rest = rest.partition(" ")
        flags.append(flag)
    return Instruction(word, flags, re.sub(r"\s+", " ", rest))


def context() -> list[Path]:
    """The project's files that a build sees, relative to the project."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(listed, cwd=PROJECT, capture_output=True, text=True, check=True)
    paths = sorted({Path(name) for name in done.stdout.split("\0") if name})
    return [path for path in paths if (PROJECT / path).is_file() and not is_ignored(path)]


def is_ignored(path: Path) -> bool:
    """Whether .dockerignore keeps it out: the last pattern that meets it, or a folder around it, decides."""
    ignored = False
    for line in IGNORE.read_text().splitlines():
        pattern = line.strip()
        if not pattern or pattern.startswith("#"):
            continue
        met = re.compile(_regex(pattern.removeprefix("!")))
        if any(met.fullmatch(str(part)) for part in (path, *path.parents)):
            ignored = not pattern.startswith("!")
    return ignored


def _regex(pattern: str) -> str:
    parts = {"**/": r"(?:.*/)?", "**": r".*", "*": r"[^/]*", "?": r"[^/]"}
    return "".join(parts.get(part) or re.escape(part) for part in re.split(r"(\*\*/|\*\*|\*|\?)", pattern))
