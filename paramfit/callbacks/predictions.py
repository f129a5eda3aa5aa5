"""What ``paramfit predict`` writes."""

import csv
import os
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from paramfit.callbacks.run import data_of, run_directory

__all__ = ["PredictionsFile"]


class PredictionsFile(Callback):
    """Write the predictions of all rows as ``predictions.csv``: row, inputs, target, prediction, part.

    Inputs and target are those of the data, not normalised. A file that is there already is kept: the new one is then
    called ``predictions_1.csv``, and so on.

    Args:
        folder: where to write; the run directory where it is not given.
    """

    # Not Lightning's BasePredictionWriter: it warns of every loader that is no torch DataLoader.
    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.path: Path | None = None
        self._batches: list[Tensor] = []

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget the last predictions."""
        del trainer, pl_module
        self._batches = []

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
        del trainer, pl_module, batch, batch_idx, dataloader_idx
        self._batches.append(outputs.cpu())

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the file whole or not at all."""
        del pl_module
        data = data_of(trainer)
        folder = self.folder or run_directory(trainer)
        if data is None or folder is None:
            return
        predicted = torch.cat(self._batches).tolist()
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
