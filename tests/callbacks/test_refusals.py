"""Options of callbacks that cannot be meant, refused where the callback is made."""

from collections.abc import Callable
from math import nan
from typing import Any

import pytest

from paramfit import DivergenceDetection, EpochTable, EstimateRows, FitCheckpoint, FitEarlyStopping
from paramfit.callbacks import FitHistory, LossLines, PredictionsFile, UncertaintyLadder, ValidationLines
from paramfit.errors import InputError
from tests.callbacks.conftest import descent, thermometer

REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "no distance between checkpoints": (lambda: FitCheckpoint(0), r"checkpoint\.every_n_updates"),
    "no distance between records": (lambda: FitHistory(-1), r"history\.every"),
    "no distance between lines": (lambda: LossLines(every=0), "every"),
    "growth to the first loss": (lambda: DivergenceDetection(growth_factor=1.0), r"divergence\.growth_factor"),
    "growth that is no number": (lambda: DivergenceDetection(growth_factor=nan), r"divergence\.growth_factor"),
    "no patience": (lambda: FitEarlyStopping(patience=0), r"early_stopping\.patience"),
    "another mode": (lambda: FitEarlyStopping(patience=1, mode="lowest"), r"early_stopping\.mode"),
    "another format": (lambda: PredictionsFile(format="excel"), r"^predictions\.format: expected csv or parquet"),
    "a seed below 0": (lambda: UncertaintyLadder(seed=-5), r"ladder\.seed: expected a number from 0"),
    "resamples below 0": (lambda: UncertaintyLadder(bootstrap=-1), "0 or more, but got -1"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_option_that_cannot_be_meant_is_refused(case):
    make, words = REFUSED[case]
    with pytest.raises(InputError, match=words):
        make()


def test_lines_that_a_fit_does_not_have_are_refused(make_trainer):
    with pytest.raises(InputError, match="ValidationLines needs validation data"):
        make_trainer(1, EpochTable(ValidationLines())).fit(descent(), datamodule=thermometer())
    with pytest.raises(InputError, match="one parameter, not of 2"):
        make_trainer(1, EpochTable(EstimateRows())).fit(descent(), datamodule=thermometer())
