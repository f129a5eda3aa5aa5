"""What ``paramfit predict`` writes."""

from collections.abc import Sequence
from itertools import chain, count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from numpy.typing import NDArray
from torch import Tensor
from torch.distributions import Distribution

from paramfit.callbacks.run import data_of, run_directory, task_of
from paramfit.data.base import EstimationDataModule
from paramfit.data.files.checks import ColumnRequest, MissingColumn, TableColumns
from paramfit.data.files.reader import read_table
from paramfit.data.files.writer import checked_format, write_table
from paramfit.distributions.center import median_of, predicted_mean
from paramfit.distributions.domain import refuse_rows, unchecked
from paramfit.errors import InputError
from paramfit.inference.bands import Bands, FittedCurve
from paramfit.shown.text import say

__all__ = ["PredictionsFile"]


class PredictionsFile(Callback):
    """Write the predictions of all rows as ``predictions.csv``: row, inputs, target, prediction, part.

    Where the task knows how uncertain its curve is, five columns stand before the part: ``standard_error``,
    ``confidence_low`` and ``confidence_high`` (95 % interval of the curve), ``prediction_low`` and ``prediction_high``
    (95 % interval of a new observation).

    The prediction of a distribution is its mean. Where that is finite in no row, as for Cauchy's distribution, the
    column ``median`` stands in its place, and a line says so.

    Inputs and target are those of the data, not normalised, under the data's own names; a column of ours whose name
    the data have taken is called ``row_1``, and so on. A file that is there already is kept: the new one is then
    called ``predictions_1.csv``, and so on.

    Args:
        folder: where to write; the run directory where it is not given.
        format: ``csv`` or ``parquet``.
        at: a table whose input columns, called as those of the data, are predicted for instead: the file then has
            row, inputs, prediction, and what is known of its errors. Where the data have a column of known errors, that
            table needs one of the same name for the interval of a new observation.

    Raises:
        InputError: for another format, or (when predicting) a table without the inputs, a distribution that tells
            neither a mean nor, where that is not finite, a median, and a file that cannot be written.
    """

    # Not Lightning's BasePredictionWriter: it warns of every loader that is no torch DataLoader.
    def __init__(self, folder: Path | None = None, format: str = "csv", at: str | None = None) -> None:
        self.folder = folder
        self.at = at
        self.format = checked_format("predictions.format", format)
        self.path: Path | None = None
        self._batches: list[Tensor] = []

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget the last predictions, and refuse a distribution that does not tell its mean."""
        self._batches = []
        data = data_of(trainer)
        prediction = None if data is None else _prediction(pl_module, data.every.inputs)
        if isinstance(prediction, Distribution):
            predicted_mean(prediction)

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep one batch of predictions."""
        self._batches.append(outputs.cpu())

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the file whole or not at all."""
        data = data_of(trainer)
        folder = self.folder or run_directory(trainer)
        if data is None or folder is None:
            return
        curve_of = getattr(task_of(pl_module), "fitted_curve", None)
        curve: FittedCurve | None = None if curve_of is None else curve_of(data)
        predicted = torch.cat(self._batches)
        finite = bool(predicted.isfinite().any())
        if not finite:  # as of a Cauchy distribution, which has no mean that an error could be told of
            curve = None
        if self.at is not None:
            table = _table_at(self.at, data, curve, pl_module)
        elif curve is None:
            table = _table_of_data(data, _point(predicted if finite else _prediction(pl_module, data.every.inputs)))
        else:
            table = _table_of_data(data, _columns(curve.at(data.every.inputs, data.raw.sigma)))
        file = folder / f"predictions.{self.format}"
        try:
            self.path = write_table(table, file)
        except OSError as unwritten:
            reason = unwritten.strerror or unwritten
            raise InputError(f"predictions: {file} cannot be written ({reason})") from unwritten
        say(f"predictions: {self.path}")


def _prediction(module: LightningModule, inputs: Sequence[Tensor]) -> Tensor | Distribution:
    """What the model says at inputs as it knows them.

    Raises:
        InputError: for a row for which it has no distribution.
    """
    dtype = next(module.parameters()).dtype
    with torch.no_grad(), unchecked():
        try:
            prediction: Tensor | Distribution = task_of(module).model(*(x.to(dtype) for x in inputs))
        except ValueError as error:
            refuse_rows(error, inputs)
            raise
    if isinstance(prediction, Distribution):
        refuse_rows(prediction, inputs)
    return prediction


def _point(prediction: Tensor | Distribution) -> dict[str, Tensor]:
    """One number for each row by the name of its column: the mean, or the median where no mean is finite."""
    if not isinstance(prediction, Distribution):
        return {"prediction": prediction}
    name, mean = type(prediction).__name__, predicted_mean(prediction)
    if bool(mean.isfinite().any()):
        return {"prediction": mean}
    median = median_of(prediction)
    if median is None:
        raise InputError(
            f"predict: {name} has no finite mean at these parameters, and no icdf to tell its median; derive a class"
            " from it that has one"
        )
    say(f"predictions: {name} has no finite mean here, so that a column median stands in the place of prediction")
    return {"median": median}


def _columns(bands: Bands) -> dict[str, Tensor]:
    """The bands by the names of their columns."""
    columns = {"prediction": bands.prediction, "standard_error": bands.standard_error}
    columns["confidence_low"], columns["confidence_high"] = bands.confidence
    if bands.prediction_band is not None:
        columns["prediction_low"], columns["prediction_high"] = bands.prediction_band
    return columns


def _table(measured: dict[str, Tensor], predicted: dict[str, Tensor]) -> dict[str, NDArray[Any]]:
    """Row numbers, what was measured, and what is predicted; a name of ours that the data have taken gets a number."""
    rows = len(next(iter(measured.values())))
    table: dict[str, NDArray[Any]] = {_free("row", measured): np.arange(rows)}
    table |= {name: column.numpy() for name, column in measured.items()}
    return table | {_free(name, measured): column.expand(rows).numpy() for name, column in predicted.items()}


def _table_of_data(data: EstimationDataModule, predicted: dict[str, Tensor]) -> dict[str, NDArray[Any]]:
    """All columns of the file for the rows of the data."""
    raw, names = data.raw, data.columns
    measured = {**dict(zip(names.inputs, raw.inputs, strict=True)), names.target: raw.target}
    part = np.full(raw.n, "train")
    if data.split is not None:
        part[data.split.validation.numpy()] = "val"
    return {**_table(measured, predicted), _free("part", measured): part}


def _table_at(
    path: str, data: EstimationDataModule, curve: FittedCurve | None, module: LightningModule
) -> dict[str, NDArray[Any]]:
    """All columns of the file for inputs of another table."""
    names = data.columns
    if not names.inputs:
        raise InputError("predictions.at: the data have no input column, so there is nothing to predict at")
    read = _read_at(path, names.inputs, None if curve is None else names.sigma)
    columns = torch.from_numpy(read.values)
    given = columns[: len(names.inputs)]
    inputs = tuple((x - shift) * scale for x, (shift, scale) in zip(given, data.statistics, strict=True))
    if curve is None:
        predicted = _point(_prediction(module, inputs))
    else:
        curve.refuse_rows(inputs)
        predicted = _columns(curve.at(inputs, columns[-1] if len(columns) > len(given) else None))
    return _table(dict(zip(names.inputs, given, strict=True)), predicted)


def _read_at(path: str, inputs: tuple[str, ...], sigma: str | None) -> TableColumns:
    """The inputs of another table, and its sigma where it has one."""
    if sigma is None:
        return read_table(path, ColumnRequest(inputs))
    try:
        return read_table(path, ColumnRequest((*inputs, sigma), sigma))
    except MissingColumn:
        columns = read_table(path, ColumnRequest(inputs))  # which refuses, if it is an input that is missing
        say(
            f"predictions.at: {path} has no column {sigma!r} with the errors of new observations, so no"
            " prediction_low and prediction_high are written"
        )
        return columns


def _free(name: str, taken: dict[str, Tensor]) -> str:
    return next(free for free in chain([name], (f"{name}_{number}" for number in count(1))) if free not in taken)
