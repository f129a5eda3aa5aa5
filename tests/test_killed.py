"""Killed at any moment, a fit can be resumed to a whole run with the same estimates."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.command_line import part
from tests.conftest import REPOSITORY

LINE = part("FormulaModel", formula="a + b*x", variables=["x"], parameters={"a": 1.0, "b": 0.5})
TABLE = part("TableDataModule", path="table.csv", inputs=["x"], target="y")
#: Task, data, options, and how many points of a fit are tried: 32 in all.
KINDS: dict[str, tuple[dict[str, Any], dict[str, Any], list[str], int]] = {
    "solved, with figures": (part("LeastSquares", model=LINE), TABLE, ["--plots.enabled", "true"], 12),
    "solved, with the ladder": (part("LeastSquares", model=LINE), TABLE, ["--ladder.enabled", "true"], 6),
    "automatic, held out": (
        part("Regression", model=part("LinearModel"), updates_per_step=2),
        {**TABLE, "init_args": {**TABLE["init_args"], "validation_fraction": 0.3}},
        ["--trainer.max_epochs", "6", "--trainer.check_val_every_n_epoch", "2"],
        7,
    ),
    "hand-written": (
        part("HandWrittenDescent", model=part("LinearModel"), gradient=part("AnalyticGradient"),
             optimizer=part("GradientDescent", lr=0.01)), TABLE, ["--trainer.max_epochs", "6"], 7),
}  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[subprocess.Popen[str]]:
    """Who runs command lines in children."""
    command = [sys.executable, "-m", "tests.killed"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=REPOSITORY, stdin=pipe, stdout=pipe, text=True) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


class Runs:
    """Fits of one kind under a root of their own."""

    def __init__(self, server: subprocess.Popen[str], kind: str, folder: Path) -> None:
        task, data, options, _ = KINDS[kind]
        table = folder / "table.csv"
        table.write_text("x,y\n0,1.1\n1,2.0\n2,3.2\n3,3.9\n4,5.3\n5,5.8\n6,7.2\n", encoding="utf-8")
        data = {**data, "init_args": {**data["init_args"], "path": str(table)}}
        self.config = folder / "kind.yaml"
        self.config.write_text(yaml.safe_dump({"model": task, "data": data}), encoding="utf-8")
        self.options = ["--config", str(self.config), "--plots.enabled", "false", *options]
        self.server = server
        self.output = folder / "output"

    def fit(self, root: Path, *options: str, at: int | None = None) -> dict[str, Any]:
        arguments = ["fit", *self.options, "--trainer.default_root_dir", str(root), *options]
        asked = {"arguments": arguments, "at": at, "output": str(self.output)}
        stdin, stdout = self.server.stdin, self.server.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps(asked) + "\n")
        stdin.flush()
        return json.loads(stdout.readline())


def newest(root: Path) -> Path:
    return max(root.glob("lightning_logs/kind/version_*"), key=lambda run: int(run.name.split("_")[1]))


def files_of(run: Path) -> set[str]:
    files = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()}
    return {name for name in files if "tfevents" not in name}


def parameters_of(run: Path) -> dict[str, Any]:
    written = json.loads((run / "estimates.json").read_text(encoding="utf-8"))
    return {"parameters": written["parameters"], "updates": written["updates"], "ladder": written.get("ladder")}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_fit_killed_at_any_write_resumes_to_a_whole_run(kind, server, own_directory):
    runs = Runs(server, kind, own_directory)
    unharmed = runs.fit(own_directory / "unharmed")
    assert unharmed["code"] == 0, runs.output.read_text()
    whole, count = newest(own_directory / "unharmed"), len(unharmed["steps"])
    points = KINDS[kind][-1]
    for point in range(points):
        at = 1 + point * count // points + point % 2
        root = own_directory / f"killed_{at}"
        assert runs.fit(root, at=at)["code"] == -9
        resumed = runs.fit(root, "--ckpt_path", "last")
        if resumed["code"] == 2:  # before its first checkpoint
            assert not any(root.rglob("last.ckpt"))
            assert "there is no last.ckpt" in runs.output.read_text()
            resumed = runs.fit(root)
        where = f"{kind}, step {at} of {count}: {unharmed['steps'][at - 1]}"
        assert resumed["code"] == 0, (where, runs.output.read_text())
        assert files_of(newest(root)) == files_of(whole), where
        assert parameters_of(newest(root)) == parameters_of(whole), where
        assert not list(root.rglob("*.part")), where
