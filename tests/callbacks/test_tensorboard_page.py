"""A real TensorBoard server, asked over HTTP for the curves of a run."""

import contextlib
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

import pytest

from paramfit.callbacks import FitHistory
from paramfit.data.normalization import FixedScale
from paramfit.data.thermometer import ThermometerDataModule
from paramfit.tasks import ThermometerRegression
from tests.callbacks.conftest import MakeTrainer

PATIENCE = 90.0  # seconds at most, on a busy machine; it takes about five


@pytest.fixture
def server(make_trainer: MakeTrainer) -> Iterator[str]:
    """Address of a server that shows one run."""
    data = ThermometerDataModule(normalization=FixedScale(0.1), validation_fraction=0.2)
    make_trainer(3, FitHistory()).fit(ThermometerRegression(), datamodule=data)
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", ".", "--port", "0", "--host", "127.0.0.1"]
    with subprocess.Popen(
        [*command, "--reload_interval", "1", "--load_fast", "false"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        # Where it never says its address, end it, so that reading its output ends too.
        watchdog = threading.Timer(PATIENCE, process.kill)
        watchdog.start()
        try:
            assert process.stderr is not None
            found = next((m for line in process.stderr if (m := re.search(r"http://127\.0\.0\.1:\d+", line))), None)
            assert found is not None, "the server ended without an address"
            yield found[0]
        finally:
            watchdog.cancel()
            process.kill()


def asked(address: str) -> Any:
    # Whatever proxy the machine has, the server is on this one.
    with build_opener(ProxyHandler({})).open(f"{address}/data/plugin/scalars/tags", timeout=10) as answer:
        return json.load(answer)


def test_the_page_offers_every_curve(server: str) -> None:
    tags: dict[str, Any] = {}
    until = time.monotonic() + PATIENCE
    pause = threading.Event()
    while not tags and time.monotonic() < until:
        with contextlib.suppress(URLError):  # it listens in a moment
            tags = asked(server)
        if not tags:
            pause.wait(0.2)

    assert list(tags) == ["run"]
    assert set(tags["run"]) == {
        "train/loss",
        "val/loss",
        "val/mse",
        "val/mae",
        "parameter/weight",
        "parameter/bias",
        "gradient/weight",
        "gradient/bias",
    }
