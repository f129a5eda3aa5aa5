"""What all tests share."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers and the processes that they start share the cores; with a team of threads each they wait for one another.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    torch.set_num_threads(1)

REPOSITORY = Path(__file__).parent.parent
CONFIGS = REPOSITORY / "configs"


@pytest.fixture(autouse=True)
def forked_seed() -> Iterator[None]:
    """Give each test the same random state, and leave none behind."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.fixture(autouse=True)
def own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run each test in an empty directory of its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def golden_descent() -> dict[str, Any]:
    """The published digits of the thermometer lesson."""
    return json.loads((Path(__file__).parent / "reference" / "gradient_descent.json").read_text())


@pytest.fixture(scope="session")
def golden_gaussian() -> dict[str, Any]:
    """The published digits of the location lesson."""
    return json.loads((Path(__file__).parent / "reference" / "gaussian_location.json").read_text())
