"""The ladder at the end of a run: printed, kept, drawn."""

import json
from pathlib import Path

import pytest

from paramfit import DistributionModel, LeastSquares, LinearModel, MaximumLikelihood, ThermometerDataModule
from paramfit.callbacks import FitPlots, FitReport, UncertaintyLadder
from paramfit.callbacks.run import run_of
from paramfit.data.table import TableDataModule


@pytest.fixture
def counts(tmp_path: Path) -> TableDataModule:
    path = tmp_path / "counts.csv"
    path.write_text("k\n" + "\n".join(map(str, [2, 3, 1, 4, 2, 7, 0, 2])), encoding="ascii")
    return TableDataModule(path=str(path), inputs=[], target="k")


def poisson() -> MaximumLikelihood:
    return MaximumLikelihood(DistributionModel("torch.distributions.Poisson", {"rate": None}))


def test_ladder_is_printed_kept_and_drawn(make_trainer, counts, capsys):
    callback = UncertaintyLadder(enabled=True, bootstrap=50)
    make_trainer(20, FitReport(), callback, FitPlots()).fit(poisson(), datamodule=counts)
    printed = capsys.readouterr().out
    assert printed.index("Estimates") < printed.index("Can these errors be trusted?")
    kept = json.loads((Path("run") / "estimates.json").read_text(encoding="utf-8"))["ladder"]
    assert list(kept["rungs"]) == [
        "observed information", "expected information", "sandwich", "profile likelihood", "bootstrap percentile",
        "bootstrap BCa",
    ]  # fmt: skip
    assert kept["rungs"]["observed information"]["standard_errors"]["rate"] == pytest.approx((21 / 64) ** 0.5)
    assert {"profile", "histogram", "quantiles"} <= {path.stem for path in (Path("run") / "figures").iterdir()}


def test_contours_are_drawn_of_two_parameters(make_trainer):
    callback = UncertaintyLadder(enabled=True)
    trainer = make_trainer(20, FitReport(enabled=False), callback, FitPlots())
    trainer.fit(LeastSquares(LinearModel()), datamodule=ThermometerDataModule(dtype="float64"))
    assert [pair.names for pair in run_of(trainer).pairs] == [("weight", "bias")]
    assert {"profile", "contours"} <= {path.stem for path in (Path("run") / "figures").iterdir()}


@pytest.mark.parametrize("callbacks", [[], [FitPlots(enabled=False)]], ids=["nobody draws", "drawing is off"])
def test_contours_that_nobody_draws_are_not_looked_for(make_trainer, callbacks):
    trainer = make_trainer(20, FitReport(enabled=False), UncertaintyLadder(enabled=True), *callbacks)
    trainer.fit(LeastSquares(LinearModel()), datamodule=ThermometerDataModule(dtype="float64"))
    assert run_of(trainer).ladder is not None
    assert run_of(trainer).pairs == []
