"""The file of predictions."""

import csv
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
import torch
from torch.distributions import Cauchy, Distribution, HalfCauchy, StudentT

from paramfit import DistributionModel, FittedCurve, FixedScale, GaussianDataModule, InputError, PredictionsFile
from paramfit.data.base import EstimationDataModule
from paramfit.data.columns import Columns
from paramfit.data.thermometer import ThermometerDataModule
from paramfit.tasks import MaximumLikelihood, ThermometerRegression
from tests.distributions.only_density import OnlyDensity


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_rows_hold_raw_values_the_prediction_and_the_part(make_trainer):
    data = ThermometerDataModule(
        validation_rows=[3, 7], normalization=FixedScale(0.1), batch_size=4, shuffle=True, dtype="float64"
    )
    make_trainer(1, PredictionsFile()).predict(ThermometerRegression(5.5, -17.0, dtype="float64"), datamodule=data)
    rows = rows_of(Path("run") / "predictions.csv")
    readings, celsius = data.raw.inputs[0].tolist(), data.raw.target.tolist()
    assert list(rows[0]) == ["row", "input", "target", "prediction", "part"]
    assert [int(row["row"]) for row in rows] == list(range(11))
    assert [float(row["input"]) for row in rows] == readings
    assert [float(row["target"]) for row in rows] == celsius
    assert [float(row["prediction"]) for row in rows] == pytest.approx([0.55 * value - 17.0 for value in readings])
    assert [int(row["row"]) for row in rows if row["part"] == "val"] == [3, 7]
    assert {row["part"] for row in rows} == {"train", "val"}


class KnownErrors(ThermometerRegression):
    """A line of which someone has told the covariance of weight and bias."""

    weighted = False

    def fitted_curve(self, data: EstimationDataModule) -> FittedCurve | None:
        assert data.raw.n == 11
        covariance = torch.diag(torch.tensor([0.01, 0.25], dtype=torch.float64))
        return FittedCurve(self.model.eval(), covariance, 2.0, 1.5, "told", weighted=self.weighted)


def test_errors_and_bands_stand_before_the_part(make_trainer):
    data = ThermometerDataModule(validation_rows=[3, 7], normalization=FixedScale(0.1), batch_size=4, dtype="float64")
    make_trainer(1, PredictionsFile()).predict(KnownErrors(5.5, -17.0, dtype="float64"), datamodule=data)
    rows = rows_of(Path("run") / "predictions.csv")
    bands = ["standard_error", "confidence_low", "confidence_high", "prediction_low", "prediction_high"]
    assert list(rows[0]) == ["row", "input", "target", "prediction", *bands, "part"]
    x = data.raw.inputs[0].numpy()
    error, center = np.sqrt(0.01 * (0.1 * x) ** 2 + 0.25), 0.55 * x - 17.0
    wide = np.sqrt(error**2 + 1.5**2)
    expected = {
        "prediction": center,
        "standard_error": error,
        "confidence_low": center - 2 * error,
        "confidence_high": center + 2 * error,
        "prediction_low": center - 2 * wide,
        "prediction_high": center + 2 * wide,
    }
    for name, values in expected.items():
        assert [float(row[name]) for row in rows] == pytest.approx(values.tolist(), rel=1e-12), name
    assert [int(row["row"]) for row in rows if row["part"] == "val"] == [3, 7]


def test_band_of_a_new_observation_is_left_out_where_its_noise_is_not_known(make_trainer, monkeypatch):
    monkeypatch.setattr(KnownErrors, "weighted", True)
    data = ThermometerDataModule(dtype="float64")
    make_trainer(1, PredictionsFile()).predict(KnownErrors(dtype="float64"), datamodule=data)
    columns = list(rows_of(Path("run") / "predictions.csv")[0])
    assert columns[3:] == ["prediction", "standard_error", "confidence_low", "confidence_high", "part"]


def test_parquet_holds_the_same_table(make_trainer):
    for kind in ("csv", "parquet"):
        data = ThermometerDataModule(validation_rows=[3], dtype="float64")
        make_trainer(1, PredictionsFile(Path("here"), format=kind)).predict(
            KnownErrors(dtype="float64"), datamodule=data
        )
    table = pyarrow.parquet.read_table(Path("here") / "predictions.parquet")
    rows = rows_of(Path("here") / "predictions.csv")
    assert table.column_names == list(rows[0])
    for name in table.column_names:
        text = [row[name] for row in rows]
        assert table[name].to_pylist() == (text if name == "part" else [float(cell) for cell in text])


def test_columns_carry_the_names_of_the_data_and_ours_make_way(make_trainer, monkeypatch):
    names = Columns(inputs=("row",), target="prediction", sigma=None)
    monkeypatch.setattr(ThermometerDataModule, "columns", property(lambda self: names))
    data = ThermometerDataModule(dtype="float64")
    make_trainer(1, PredictionsFile()).predict(ThermometerRegression(0.5, -17.0, dtype="float64"), datamodule=data)
    rows = rows_of(Path("run") / "predictions.csv")
    assert list(rows[0]) == ["row_1", "row", "prediction", "prediction_1", "part"]
    assert [float(row["row"]) for row in rows] == data.raw.inputs[0].tolist()
    assert [float(row["prediction"]) for row in rows] == data.raw.target.tolist()
    assert [int(row["row_1"]) for row in rows] == list(range(11))


class NoQuantiles(OnlyDensity):
    """One whose mean is said not to exist."""

    @property
    def mean(self) -> torch.Tensor:
        return torch.full_like(self.loc, torch.nan)


def sample_of(kind: type[Distribution], **parameters: float) -> MaximumLikelihood:
    return MaximumLikelihood(DistributionModel(kind, parameters))


@pytest.mark.parametrize(("task", "median"), [
    (sample_of(Cauchy, loc=2.0, scale=1.0), 2.0),
    (sample_of(HalfCauchy, scale=3.0), 3.0),  # P(|Y| < scale) = 2 arctan(1) / pi
    (sample_of(StudentT, df=0.5, loc=-1.0, scale=1.0), -1.0),
], ids=["no mean", "infinite mean", "no quantiles in torch"])  # fmt: skip
def test_distribution_without_a_finite_mean_has_its_median_and_a_line_that_says_so(task, median, make_trainer, capsys):
    make_trainer(1, PredictionsFile()).predict(task, datamodule=GaussianDataModule(n_obs=3))
    rows = rows_of(Path("run") / "predictions.csv")
    assert list(rows[0]) == ["row", "target", "median", "part"]
    assert [float(row["median"]) for row in rows] == pytest.approx([median] * 3)
    assert (
        "has no finite mean here, so that a column median stands in the place of prediction" in capsys.readouterr().out
    )


@pytest.mark.parametrize(("task", "words"), [
    (sample_of(OnlyDensity, loc=0.0, scale=1.0), r"^predict: OnlyDensity tells no mean, .* with a property mean$"),
    (sample_of(NoQuantiles, loc=0.0, scale=1.0),
        r"^predict: NoQuantiles has no finite mean at these parameters, and no icdf"),
], ids=["no mean", "no median"])  # fmt: skip
def test_distribution_that_tells_no_number_is_refused_by_name(task, words, make_trainer):
    with pytest.raises(InputError, match=words):
        make_trainer(1, PredictionsFile()).predict(task, datamodule=GaussianDataModule(n_obs=3))
    assert not (Path("run") / "predictions.csv").exists()
