"""What a change costs: the same work in two checkouts, in turn.

A process for each checkout does its work when it is asked to, so that both pay for starting once and see the same
machine; the table gives the medians, and the ratio of this checkout's to the other's. Only public names are used, so
that checkouts of different insides can be compared. ``import`` is a fresh process each time.

    git worktree add ../before REVISION
    python benchmarks/two_checkouts.py ../before
    python benchmarks/two_checkouts.py ../before --rounds 15 --only formula
    python benchmarks/two_checkouts.py ../before --only logged --cpu  # on a machine that others use too
"""

import argparse
import io
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import NamedTuple

BOUND = 1.05


class Case(NamedTuple):
    """A piece of work: what prepares it, and how many repetitions make one timing."""

    prepare: Callable[[], Callable[[], object]]
    repeats: int = 1


def _descent(automatic: bool) -> Callable[[], object]:
    """5000 updates of the normalised thermometer, in blocks of 100."""
    import torch
    from lightning.pytorch import Trainer

    import paramfit

    def fit() -> None:
        if automatic:
            task = paramfit.ThermometerRegression(optimizer=partial(torch.optim.SGD, lr=1e-2), updates_per_step=100)
        else:
            task = paramfit.HandWrittenDescent(
                paramfit.LinearModel(),
                paramfit.AnalyticGradient(),
                optimizer=partial(paramfit.GradientDescent, lr=1e-2),
                updates_per_step=100,
            )
        trainer = Trainer(
            max_epochs=50,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[paramfit.DivergenceDetection()],
        )
        trainer.fit(task, paramfit.ThermometerDataModule(normalization=paramfit.FixedScale(0.1)))

    return fit


def _formula(rows: int) -> Callable[[], object]:
    """An exponential with three parameters."""
    import numpy as np

    import paramfit

    x = np.linspace(0.0, 4.0, rows)
    y = 2.5 * np.exp(-1.3 * x) + 0.5 + np.random.default_rng(0).normal(0.0, 0.05, rows)
    model = paramfit.FormulaModel("a*exp(-b*x) + c", ["x"], {"a": 1.0, "b": 1.0, "c": 0.0})
    return lambda: paramfit.fit(model, (x, y))


def _gamma() -> Callable[[], object]:
    """A sample of 10^6 values."""
    import numpy as np

    import paramfit

    y = np.random.default_rng(0).gamma(2.5, 1 / 1.7, 10**6)
    model = paramfit.DistributionModel("torch.distributions.Gamma", {"concentration": None, "rate": None})
    return lambda: paramfit.fit(model, (y,))


def _bootstrap() -> Callable[[], object]:
    """1000 resamples of 200 rows."""
    import paramfit

    result = _formula(200)()
    return lambda: paramfit.ladder(result, profile=False, bootstrap=1000)


def _run() -> Callable[[], object]:
    """``paramfit fit`` of the lesson with SGD: curves, hyperparameters, checkpoints and report, without figures."""
    import tempfile
    from contextlib import chdir

    from paramfit.cli import main

    config = str(Path.cwd() / "configs" / "thermometer" / "sgd.yaml")

    def fit() -> None:
        with tempfile.TemporaryDirectory() as folder, chdir(folder):
            if main(["fit", "--config", config, "--plots.enabled", "false"]):
                raise RuntimeError("the run failed")

    return fit


def _import(checkout: str) -> None:
    """A fresh process that loads what a fit from Python needs."""
    command = [sys.executable, "-c", "import paramfit; paramfit.fit"]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": checkout}, cwd=checkout)


CASES = {
    "5000 hand-written updates": Case(lambda: _descent(automatic=False)),
    "5000 automatic updates": Case(lambda: _descent(automatic=True)),
    "formula, 50 rows": Case(lambda: _formula(50), repeats=20),
    "least squares, 10^6 rows": Case(lambda: _formula(10**6)),
    "gamma, 10^6 values": Case(_gamma),
    "bootstrap, 1000 of 200 rows": Case(_bootstrap),
    "run of 5000 updates, logged": Case(_run),
    "import": Case(lambda: partial(_import, os.getcwd())),
}


def cpu_seconds() -> float:
    """What this process and those that it has waited for have computed."""
    return sum(os.times()[:4])


def work(clock: Callable[[], float]) -> None:
    """Do what standard input names, and tell how long it took."""
    import logging
    import warnings

    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    prepared: dict[str, Callable[[], object]] = {}
    for line in sys.stdin:
        name = line.strip()
        with redirect_stdout(io.StringIO()):
            if name not in prepared:
                prepared[name] = CASES[name].prepare()
                prepared[name]()  # and what is paid once is paid
            start = clock()
            for _ in range(CASES[name].repeats):
                prepared[name]()
            seconds = (clock() - start) / CASES[name].repeats
        print(seconds, flush=True)


class Worker:
    """A process that works in one checkout."""

    def __init__(self, checkout: Path, clock: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, Path(__file__).resolve(), "--work", clock],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(checkout)},
            cwd=checkout,
        )

    def seconds(self, name: str) -> float:
        """How long it takes once."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(name, file=self._process.stdin, flush=True)
        return float(self._process.stdout.readline())


def main() -> None:
    """Measure and print."""
    from rich.console import Console
    from rich.table import Table

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("other", type=Path, help="the checkout to compare with")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", default="", help="the cases whose name contains this")
    parser.add_argument("--cpu", action="store_true", help="time of the processor, in place of that of the clock")
    chosen = parser.parse_args()
    table = Table(title=f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores")
    for column in ("", "other, ms", "this, ms", "ratio"):
        table.add_column(column, justify="left" if not column else "right")
    clock = "cpu" if chosen.cpu else "wall"
    other, this = Worker(chosen.other.resolve(), clock), Worker(Path(__file__).resolve().parents[1], clock)
    for name in CASES:
        if chosen.only not in name:
            continue
        pairs = [(other.seconds(name), this.seconds(name)) for _ in range(chosen.rounds)]
        theirs, ours = (statistics.median(times) for times in zip(*pairs, strict=True))
        missed = "" if ours <= BOUND * theirs else f", above {BOUND}"
        table.add_row(name, f"{1e3 * theirs:.2f}", f"{1e3 * ours:.2f}", f"{ours / theirs:.2f}{missed}")
    Console(width=100).print(table)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        work(cpu_seconds if sys.argv[2] == "cpu" else time.perf_counter)
    else:
        main()
