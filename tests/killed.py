"""A process that runs command lines in children of its own, and kills them in the middle of a write.

``python -m tests.killed`` reads one JSON line for each: ``{"arguments": [...], "at": 7, "output": "path"}``, and
answers with the child's exit code and the names of its steps. A step is a folder made, a file opened, half written,
flushed to the disk or given its name; the child is killed at step ``at``, and at none where that is null.
"""

import contextlib
import gc
import io
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

import torch

import paramfit.atomic_files as atomic_files
from paramfit.cli.front_door import main


class HalfWritten:
    """A file that dies when it has written the first half."""

    def __init__(self, file: BinaryIO, step: Callable[[str], None], name: str) -> None:
        self.file, self.step, self.name = file, step, name

    def write(self, content: bytes) -> None:
        half = len(content) // 2
        self.file.write(content[:half])
        self.file.flush()
        self.step(f"write {self.name}")
        self.file.write(content[half:])

    def __getattr__(self, name: str) -> Any:  # noqa: D105
        return getattr(self.file, name)

    def __enter__(self) -> "HalfWritten":  # noqa: D105
        return self

    def __exit__(self, *raised: object) -> None:  # noqa: D105
        self.file.close()


def run(arguments: list[str], at: int | None, report: int) -> int:
    """The command line in this process, which dies at a step."""
    steps = 0

    def step(name: str) -> None:
        nonlocal steps
        steps += 1
        os.write(report, f"{name}\n".encode())
        if steps == at:
            os.kill(os.getpid(), signal.SIGKILL)

    def stepping(function: Callable[..., Any], name: str) -> Callable[..., Any]:
        def called(path: Any, *others: Any, **options: Any) -> Any:
            step(f"{name} {Path(path).name if isinstance(path, str | Path) else ''}")
            return function(path, *others, **options)

        return called

    open_locked = atomic_files._locked
    atomic_files._locked = lambda path, *, wait: HalfWritten(open_locked(path, wait=wait), step, path.stem)
    for name in ("mkdir", "fsync", "replace"):
        setattr(os, name, stepping(getattr(os, name), name))
    return main(arguments)


def child(arguments: list[str], at: int | None, output: str) -> dict[str, Any]:
    """Run in a child; its exit code, negative for a signal, and its steps."""
    reading, writing = os.pipe()
    process = os.fork()
    if not process:
        code = 1
        try:
            os.close(reading)
            printed = os.open(output, os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
            os.dup2(printed, 1)
            os.dup2(printed, 2)
            code = run(arguments, at, writing)
            sys.stdout.flush()
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as steps:
        names = steps.read().splitlines()
    return {"code": os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), "steps": names}


def warm() -> None:
    """Make a fit with all its figures, so that each child has already what a first one imports and keeps."""
    data = ["--data", "ThermometerDataModule", "--data.dtype", "float64"]
    with TemporaryDirectory() as root, contextlib.redirect_stdout(io.StringIO()):
        options = ["--ladder.enabled", "true", "--trainer.default_root_dir", root]
        main(["fit", "--model", "LeastSquares", "--model.model", "LinearModel", *data, *options])


if __name__ == "__main__":
    torch.set_num_threads(1)
    warm()
    gc.freeze()
    for line in sys.stdin:
        print(json.dumps(child(**json.loads(line))), flush=True)
