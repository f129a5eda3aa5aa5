"""The ladder at the end of a run: printed, kept, drawn."""

import json
from pathlib import Path

import pytest

from paramfit import DistributionModel, LeastSquares, LinearModel, MaximumLikelihood, ThermometerDataModule
from paramfit.callbacks import FitPlots, FitReport, UncertaintyLadder
from paramfit.callbacks.run import run_of
from paramfit.data.table import TableDataModule
from tests.callbacks.conftest import MakeTrainer


@pytest.fixture
def counts(tmp_path: Path) -> TableDataModule:
    path = tmp_path / "counts.csv"
    path.write_text("k\n" + "\n".join(map(str, [2, 3, 1, 4, 2, 7, 0, 2])), encoding="ascii")
    return TableDataModule(path=str(path), inputs=[], target="k")


def poisson() -> MaximumLikelihood:
    return MaximumLikelihood(DistributionModel("torch.distributions.Poisson", {"rate": None}))


def test_ladder_is_printed_kept_and_drawn(
    make_trainer: MakeTrainer, counts: TableDataModule, capsys: pytest.CaptureFixture[str]
) -> None:
    callback = UncertaintyLadder(enabled=True, bootstrap=50)
    make_trainer(20, FitReport(), callback, FitPlots()).fit(poisson(), datamodule=counts)
    printed = capsys.readouterr().out
    assert printed.index("Estimates") < printed.index("Can these errors be trusted?")
    kept = json.loads((Path("run") / "estimates.json").read_text(encoding="utf-8"))["ladder"]
    assert list(kept["rungs"]) == [
        "observed information",
        "expected information",
        "sandwich",
        "profile likelihood",
        "bootstrap percentile",
        "bootstrap BCa",
    ]
    assert kept["rungs"]["observed information"]["standard_errors"]["rate"] == pytest.approx((21 / 64) ** 0.5)
    drawn = {path.stem for path in (Path("run") / "figures").iterdir()}
    assert {"profile", "histogram", "quantiles"} <= drawn


def test_contours_are_drawn_of_two_parameters(make_trainer: MakeTrainer) -> None:
    callback = UncertaintyLadder(enabled=True)
    trainer = make_trainer(20, FitReport(enabled=False), callback, FitPlots())
    trainer.fit(LeastSquares(LinearModel()), datamodule=ThermometerDataModule(dtype="float64"))
    assert [pair.names for pair in run_of(trainer).pairs] == [("weight", "bias")]
    assert {"profile", "contours"} <= {path.stem for path in (Path("run") / "figures").iterdir()}


def test_nothing_happens_unless_it_is_asked_for(make_trainer: MakeTrainer, counts: TableDataModule) -> None:
    callback = UncertaintyLadder()
    trainer = make_trainer(20, FitReport(enabled=False), callback)
    trainer.fit(poisson(), datamodule=counts)
    assert run_of(trainer).ladder is None
    assert json.loads((Path("run") / "estimates.json").read_text(encoding="utf-8"))["ladder"] is None
