"""What tests of the command line share: configurations, run directories, error lines."""

import json
from pathlib import Path
from typing import Any

import pytest


def part(name: str, **arguments: Any) -> dict[str, Any]:
    """A class and its arguments, as YAML has them."""
    return {"class_path": name, "init_args": arguments}


def run_of(name: str, version: int = 0) -> Path:
    return Path("lightning_logs") / name / f"version_{version}"


def estimates_of_run(name: str, version: int = 0) -> dict[str, Any]:
    return json.loads((run_of(name, version) / "estimates.json").read_text(encoding="utf-8"))


def one_error_line(capsys: pytest.CaptureFixture[str]) -> str:
    """What was printed as an error, which is one line."""
    lines = [line for line in capsys.readouterr().err.splitlines() if line.strip()]
    assert len(lines) == 1, lines
    assert lines[0].startswith("error: ")
    return lines[0]
