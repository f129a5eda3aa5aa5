"""The file of predictions."""

import csv
from pathlib import Path

import pytest

from paramfit.callbacks import PredictionsFile
from paramfit.data import FixedScale, GaussianDataModule, ThermometerDataModule
from paramfit.tasks import GaussianLocation, ThermometerRegression
from tests.callbacks.conftest import MakeTrainer


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_rows_hold_raw_values_the_prediction_and_the_part(make_trainer: MakeTrainer) -> None:
    data = ThermometerDataModule(
        validation_indices=[3, 7], normalization=FixedScale(0.1), batch_size=4, shuffle=True, dtype="float64"
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


def test_a_sample_has_no_input_column(make_trainer: MakeTrainer) -> None:
    make_trainer(1, PredictionsFile()).predict(GaussianLocation(2.5), datamodule=GaussianDataModule(n_obs=3))

    rows = rows_of(Path("run") / "predictions.csv")
    assert list(rows[0]) == ["row", "target", "prediction", "part"]
    assert [row["prediction"] for row in rows] == ["2.5"] * 3


def test_a_file_that_is_there_is_kept(make_trainer: MakeTrainer, tmp_path: Path) -> None:
    kept = tmp_path / "predictions.csv"
    kept.write_text("precious", encoding="utf-8")
    writers = [PredictionsFile(tmp_path) for _ in range(2)]
    for writer in writers:
        make_trainer(1, writer, logger=False).predict(ThermometerRegression(), datamodule=ThermometerDataModule())

    assert kept.read_text(encoding="utf-8") == "precious"
    assert [writer.path for writer in writers] == [tmp_path / "predictions_1.csv", tmp_path / "predictions_2.csv"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "predictions.csv",
        "predictions_1.csv",
        "predictions_2.csv",
    ]


def test_the_path_is_told(make_trainer: MakeTrainer, capsys: pytest.CaptureFixture[str]) -> None:
    make_trainer(1, PredictionsFile(Path("here"))).predict(ThermometerRegression(), datamodule=ThermometerDataModule())

    assert f"predictions: {Path('here') / 'predictions.csv'}" in capsys.readouterr().out
