"""Runs the builder stage's own commands without containers: in a clean directory, on what a build sees."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.deploy.dockerfile import PROJECT, Instruction, context, stages

IMAGE_USER = 65532
FOREIGN = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "UV_PROJECT_ENVIRONMENT")
"""What belongs to the environment that the tests run in."""
BUILD_SECONDS = 600


class Image(NamedTuple):
    """What would be in the image, below ``root``."""

    root: Path
    environment: dict[str, str]
    """All that the final stage sets, and nothing else."""
    can_be_another_user: bool
    """Whether this process may become another user, and that one may reach the interpreter."""

    def run(self, *arguments: str, told: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the image's entry point to its end, as ``start`` does."""
        with self.start(*arguments, **variables) as process:
            out, err = process.communicate(told, timeout=120)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        """Start the entry point as the image's user, unable to write a byte to any file."""
        (entry,) = entry_point()
        # Pipes may be written to; what writes to a file is told that it is too large.
        command = ["prlimit", "--fsize=0", "--", str(self.root / "opt/mms/bin" / entry), *arguments]
        user = IMAGE_USER if self.can_be_another_user else None
        return subprocess.Popen(
            [shutil.which(command[0]) or command[0], *command[1:]],
            cwd=self.root,
            env={**self.environment, **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )


def entry_point() -> list[str]:
    """The program that the image runs."""
    (entry,) = [one for one in stages()[-1] if one.word == "ENTRYPOINT"]
    return entry.words


def build(root: Path, uv: str, **arguments: str) -> Image:
    """Do what the builder stage does with these build arguments, with paths below ``root``."""
    base = _interpreter()
    environment = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    path = f"{_without_apt(root / 'stubs')}:{Path(uv).parent}:{environment['PATH']}"
    environment |= {"PATH": path, "UV_PYTHON": str(base)}
    # As the Makefile does: trust what the machine trusts.
    environment = {"UV_SYSTEM_CERTS": "true", "UV_NATIVE_TLS": "true"} | environment
    workdir = root
    for step in _builder():
        match step.word:
            case "ENV" | "ARG":
                given = step.variables | (arguments if step.word == "ARG" else {})
                environment |= {name: _below(root, value) for name, value in given.items()}
            case "WORKDIR":
                workdir = Path(_below(root, step.rest))
                workdir.mkdir(parents=True)
            case "COPY":
                _copy(step, workdir)
            case "RUN":
                assert not step.is_exec
                shell = ["/bin/sh", "-c", step.rest]
                subprocess.run(shell, cwd=workdir, env=environment, check=True, timeout=BUILD_SECONDS)
            case "FROM":
                pass
            case other:
                raise AssertionError(f"the test does not know what {other} does")
    for folder in ("src", "stubs"):  # they are not in the image
        shutil.rmtree(root / folder)
    _take_write_permission(root)
    final = [one.variables for one in stages()[-1] if one.word == "ENV"]
    given = {name: _below(root, value) for variables in final for name, value in variables.items()}
    return Image(root, given, os.geteuid() == 0 and _is_reachable(base))


def _builder() -> list[Instruction]:
    (found,) = [stage for stage in stages() if stage and stage[0].rest.endswith(" AS builder")]
    return found


def _without_apt(folder: Path) -> Path:
    """Where there is an ``apt-get`` that does nothing: what this machine has is what there is."""
    folder.mkdir()
    stub = folder / "apt-get"
    stub.write_text("#!/bin/sh\n")
    stub.chmod(0o755)
    return folder


def _copy(step: Instruction, workdir: Path) -> None:
    *sources, target = step.words
    if any(flag.startswith("--from=") for flag in step.flags):
        return  # uv, which this machine has
    for source in sources:
        taken = [path for path in context() if path == Path(source) or Path(source) in path.parents]
        assert taken, f"COPY {source}: no such file is in the build's context"
        for path in taken:
            # A folder's content goes into the target, a file goes below it.
            inner = path.relative_to(source) if path != Path(source) else Path(path.name)
            copied = workdir / target / inner
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(PROJECT / path, copied)


def _below(root: Path, value: str) -> str:
    """The image's own places, below ``root``."""
    return ":".join(
        f"{root}{part}" if part.startswith(("/opt/", "/src")) else part for part in value.split(":")
    )


def _interpreter() -> Path:
    """A Python of the version that the tests run on: if there is one, one that other users may run too."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    found = [Path(path, name) for path in ("/usr/local/bin", "/usr/bin")]
    own = Path(sys.base_prefix, "bin", name).resolve()
    usable = [path for path in (own, *found) if path.is_file() and _is_reachable(path)]
    return usable[0] if usable else own


def _is_reachable(path: Path) -> bool:
    return all(parent.stat().st_mode & 0o001 for parent in (path.resolve(), *path.resolve().parents))


def _take_write_permission(root: Path) -> None:
    for path in (root, *root.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~0o222)


def give_write_permission(root: Path) -> None:
    """Let the folders be deleted again."""
    for folder in (root, *(path for path in root.rglob("*") if path.is_dir() and not path.is_symlink())):
        folder.chmod(0o755)
