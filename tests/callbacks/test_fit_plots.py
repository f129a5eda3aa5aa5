"""Figures as files and in TensorBoard."""

from functools import partial
from pathlib import Path

import pytest
from PIL import Image
from torch.distributions import Cauchy
from torch.optim import SGD

from paramfit import DistributionModel, FitPlots, FitReport, GaussianDataModule, ThermometerDataModule
from paramfit.tasks import GaussianLocation, MaximumLikelihood
from tests.callbacks.conftest import descent, events_of, thermometer
from tests.distributions.only_density import OnlyDensity

FIGURES = Path("run") / "figures"


def drawn() -> set[str]:
    return {path.name for path in FIGURES.iterdir()} if FIGURES.exists() else set()


@pytest.mark.parametrize("fraction", [0.0, 0.2], ids=["all-rows", "held-out-rows"])
def test_the_thermometer_has_scatter_fit_and_surface_in_both_places(fraction, make_trainer):
    make_trainer(2, FitPlots()).fit(descent(updates_per_step=10), datamodule=thermometer(validation_fraction=fraction))
    names = ("fit", "loss_curve", "loss_surface", "scatter")
    assert drawn() == {f"{name}.png" for name in names}
    assert set(events_of(Path("run")).Tags()["images"]) == {f"visual/{name}" for name in names}


def test_a_sample_has_its_density_and_the_path_of_the_location(make_trainer):
    task = GaussianLocation(optimizer=partial(SGD, lr=1e-3), updates_per_step=10)
    make_trainer(1, FitReport(), FitPlots()).fit(task, datamodule=GaussianDataModule(n_obs=50))
    names = ("density", "histogram", "loss_curve", "loss_surface", "quantiles")
    assert drawn() == {f"{name}.png" for name in names}
    assert set(events_of(Path("run")).Tags()["images"]) == {f"visual/{name}" for name in names}


def test_a_run_that_went_to_nan_is_drawn_without_its_line(make_trainer):
    make_trainer(30, FitPlots()).fit(descent(), datamodule=ThermometerDataModule())
    assert "scatter.png" in drawn()
    assert "fit.png" not in drawn()


@pytest.mark.parametrize(
    ("kind", "fit"), [(Cauchy, {"fit.png"}), (OnlyDensity, set())], ids=["by its median", "not at all"]
)
def test_regression_without_a_mean_is_drawn_as_far_as_it_is_told(kind, fit, make_trainer):
    model = DistributionModel(kind, {"loc": "a + b*x", "scale": 1.0}, {"a": 0.0, "b": 1.0})
    make_trainer(1, FitPlots()).fit(MaximumLikelihood(model), datamodule=ThermometerDataModule(dtype="float64"))
    assert drawn() == {"scatter.png"} | fit


def test_a_film_of_the_descent_is_written_on_demand(make_trainer):
    make_trainer(3, FitPlots(animation=True)).fit(descent(), datamodule=thermometer())
    with Image.open(FIGURES / "descent.gif") as film:
        assert film.n_frames == 4  # the start and three updates
        assert film.is_animated


def test_a_descent_near_its_optimum_has_a_band(make_trainer):
    for updates, has_curve in ((10, False), (5000, True)):
        report = FitReport(enabled=False)
        make_trainer(1, report).fit(descent(updates_per_step=updates), datamodule=thermometer())
        assert (report.result.curve is not None) == has_curve
    # By the textbook: s^2 (1/n + (x - mean)^2 / sum of squares), at the mean s / sqrt(n).
    data = thermometer(dtype="float64")
    data.setup()
    x = data.train.inputs[0]
    bands = report.result.curve.at((x.mean().reshape(1),))
    assert bands.standard_error.item() == pytest.approx(1.89162192 / 11**0.5, rel=1e-5)
