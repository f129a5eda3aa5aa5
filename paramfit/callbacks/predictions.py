"""What ``paramfit predict`` writes."""

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import BasePredictionWriter

from paramfit.callbacks.run import data_of, run_directory

__all__ = ["PredictionsFile"]


class PredictionsFile(BasePredictionWriter):
    """Write the predictions of all rows as ``predictions.csv``: row, inputs, target, prediction, part.

    Inputs and target are those of the data, not normalised. A file that is there already is kept: the new one is then
    called ``predictions_1.csv``, and so on.

    Args:
        folder: where to write; the run directory where it is not given.
    """

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__(write_interval="epoch")
        self.folder = folder
        self.path: Path | None = None

    def write_on_epoch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        predictions: Sequence[Any],
        batch_indices: Sequence[Any],
    ) -> None:
        """Write the file whole or not at all."""
        del pl_module, batch_indices
        data = data_of(trainer)
        folder = self.folder or run_directory(trainer)
        if data is None or folder is None:
            return
        predicted = torch.cat([batch.cpu() for batch in predictions]).tolist()
        raw = data.raw
        names = ["input"] if len(raw.inputs) == 1 else [f"input_{k}" for k in range(len(raw.inputs))]
        held_out = set() if data.split is None else set(data.split.validation.tolist())
        folder.mkdir(parents=True, exist_ok=True)
        self.path = _free_name(folder)
        unfinished = self.path.with_suffix(".csv.part")
        with unfinished.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["row", *names, "target", "prediction", "part"])
            columns = [column.tolist() for column in (*raw.inputs, raw.target)]
            for row, (*values, prediction) in enumerate(zip(*columns, predicted, strict=True)):
                writer.writerow([row, *values, prediction, "val" if row in held_out else "train"])
        os.replace(unfinished, self.path)
        print(f"predictions: {self.path}")


def _free_name(folder: Path) -> Path:
    path, number = folder / "predictions.csv", 0
    while path.exists():
        number += 1
        path = folder / f"predictions_{number}.csv"
    return path
