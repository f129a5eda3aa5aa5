"""The result of a fit: printed, and kept."""

import math
import os
from pathlib import Path

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from paramfit.callbacks.doctor import Doctor, inner_optimizer_of
from paramfit.callbacks.run import data_of, loss_function_of, mean_loss, run_directory, task_of
from paramfit.data.base import EstimationDataModule
from paramfit.inference.convergence import CONVERGED_BELOW
from paramfit.observations import Observations
from paramfit.outcome import Status, Stop
from paramfit.results.fields import fields_of, reasons
from paramfit.results.origin import Origin
from paramfit.results.record import FitResult
from paramfit.results.report import print_report
from paramfit.results.summary import Summary, summarise
from paramfit.results.verdict import fit_verdict
from paramfit.tasks.updates import EstimationTaskLike

__all__ = ["FitReport", "write_result"]


class FitReport(Callback):
    """At the end of a fit, print the report and write ``estimates.json``.

    Args:
        enabled: whether to print the report; ``estimates.json`` is written in any case.
    """

    def __init__(self, enabled: bool = True) -> None:
        self.enabled = enabled
        self.result: FitResult | None = None
        self._planned: int | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Remember how many updates were asked for."""
        del trainer
        self.result, self._planned = None, task_of(pl_module).planned_updates

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Judge, print, write."""
        data = data_of(trainer)
        if data is None or self._planned is None:
            return  # no data to judge by, or nothing was fitted
        self.result = _result(trainer, pl_module, data, self._planned)
        folder = run_directory(trainer)
        if folder is not None:
            write_result(folder, self.result)
        if self.enabled:
            print_report(self.result)
            if folder is not None:
                print(f"run directory: {folder}")


def _result(trainer: Trainer, module: LightningModule, data: EstimationDataModule, planned: int) -> FitResult:
    task = task_of(module)
    callbacks = getattr(trainer, "callbacks", [])
    doctor = next((callback for callback in callbacks if isinstance(callback, Doctor)), None)
    optimizer = inner_optimizer_of(trainer)
    diverged = task.stop is not None and task.stop.status is Status.DIVERGED
    loss = loss_function_of(module, data.train)
    summary = getattr(module, "summariser", summarise)(
        loss,
        optimizer,
        data.statistics,
        data.truth,
        untrusted="the fit diverged" if diverged else None,
        absolute_sigma=data.absolute_sigma,
    )
    losses = {
        "train": mean_loss(module, data.train),
        "val": mean_loss(module, data.validation) if data.validation.n else None,
    }
    stop = _how_it_ended(task, summary, losses["train"], planned)
    reason, notes = stop.reason, reasons(summary)
    if stop.status is Status.DIVERGED and doctor is not None and (cure := doctor.cure()) is not None:
        reason = f"{reason}. {cure[:1].upper()}{cure[1:]}."
    verdict = fit_verdict([] if doctor is None else doctor.curve)
    notes["verdict"] = verdict.reason
    stability = None if doctor is None else doctor.stability
    if stability is None:
        why_not = "the start was not examined" if doctor is None else doctor.reason
        notes["learning_rate_limit"] = notes["condition_number"] = why_not
    else:
        notes |= {
            key: why
            for key, why in (
                ("learning_rate_limit", stability.limit_reason),
                ("condition_number", stability.condition_reason),
            )
            if why is not None
        }
    sigma_is = None if data.raw.sigma is None else "absolute" if data.absolute_sigma else "relative"
    return FitResult(
        task=type(module).__name__,
        status=stop.status.value,
        reason=reason,
        updates=task.updates,
        loss=losses,
        n_observations={"train": data.train.n, "val": data.validation.n},
        normalized_input=_normalized(data),
        learning_rate_limit=None if stability is None else stability.learning_rate_limit,
        condition_number=None if stability is None else stability.condition_number,
        verdict=None if verdict.verdict is None else verdict.verdict.value,
        verdict_updates=verdict.updates,
        notes=notes,
        origin=Origin(loss.model, loss.objective, _raw_training_rows(data)),
        **fields_of(summary, loss.names, sigma_is),
    )


def _how_it_ended(task: EstimationTaskLike, summary: Summary, final_loss: float | None, planned: int) -> Stop:
    """The status: what is not finite has diverged, whoever stopped it; what is close enough has converged."""
    finite = all(bool(torch.isfinite(parameter).all()) for parameter in task.model.parameters())
    distance = summary.distance.total
    if task.stop is not None and task.stop.status is not Status.STOPPED_EARLY:
        return task.stop
    if not finite or final_loss is None or not math.isfinite(final_loss):
        return Stop(Status.DIVERGED, "loss or parameters are not finite at the end")
    if distance is not None and distance < CONVERGED_BELOW:
        reason = f"{distance:.2g} standard errors from the optimum, less than {CONVERGED_BELOW}."
        return Stop(Status.CONVERGED, f"{task.stop.reason}; {reason}" if task.stop is not None else reason)
    if task.stop is not None:
        return task.stop
    where = (
        "" if distance is None else f", and the fit is {distance:.3g} standard errors from the optimum: not converged"
    )
    if task.updates < planned or not planned:
        made = f"{task.updates} of {planned}" if planned else f"{task.updates}"
        return Stop(Status.STOPPED_EARLY, f"the Trainer or a callback stopped the fit after {made} updates{where}.")
    return Stop(Status.LIMIT_REACHED, f"all updates that were asked for were made{where}.")


def _raw_training_rows(data: EstimationDataModule) -> Observations:
    assert data.split is not None  # the fit is over
    return data.raw.rows(data.split.train)


def _normalized(data: EstimationDataModule) -> dict[str, object] | None:
    if data.normalization is None or not data.statistics:  # a sample has no inputs
        return None
    shifts, scales = zip(*data.statistics, strict=True)
    if len(shifts) == 1:
        return {"shift": shifts[0], "scale": scales[0]}
    return {"shift": list(shifts), "scale": list(scales)}


def write_result(folder: Path, result: FitResult) -> None:
    """Write ``estimates.json`` whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / "estimates.json.part"
    unfinished.write_text(result.to_json(), encoding="utf-8")
    os.replace(unfinished, folder / "estimates.json")
