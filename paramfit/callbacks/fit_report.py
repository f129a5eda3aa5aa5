"""The result of a fit: printed, and kept."""

import math
from dataclasses import replace
from functools import partial

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from paramfit.callbacks.run import (
    Examination,
    FileWriting,
    data_of,
    loss_function_of,
    mean_loss,
    optimizer_of,
    run_directory,
    run_of,
    task_of,
)
from paramfit.data.base import EstimationDataModule
from paramfit.facts import Fact, FactKind, Number, Reason, Status, Stop
from paramfit.fits.ending import how_it_began, is_at_start, why_untrusted
from paramfit.fits.result import FitResult, record_of
from paramfit.inference.convergence import CONVERGED_BELOW
from paramfit.inference.descent_stability import cure_of_divergence
from paramfit.inference.edge_of_domain import outside_domain
from paramfit.inference.loss_function import LossFunction
from paramfit.results.record import NormalizedInput
from paramfit.results.report import fit_report, print_report
from paramfit.results.summary import Summary, summarise
from paramfit.results.verdict import fit_verdict
from paramfit.shown.text import say
from paramfit.shown.words import sentence
from paramfit.tasks.base import EstimationTask
from paramfit.tasks.updates import EstimationTaskLike

__all__ = ["FitReport"]


class FitReport(FileWriting, Callback):
    """At the end of a fit, print the report and write ``estimates.json``; also of a resumed one without updates left.

    Args:
        enabled: whether to print the report; ``estimates.json`` is written in any case.
        table: whether it and the exports have the table of estimates, which the result keeps; where it is not given,
            all but networks have one, whose weights the observations do not tell apart.
    """

    def __init__(self, enabled: bool = True, table: bool | None = None) -> None:
        self.enabled = enabled
        self.table = table
        self.result: FitResult | None = None
        self._has_trained = False

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget the last fit."""
        self._has_trained = False
        self.result = run_of(trainer).result = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Remember that there was something to do."""
        self._has_trained = True

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Judge, print, write."""
        data, task = data_of(trainer), task_of(pl_module)
        if data is None or not (self._has_trained or task.updates):
            return  # no data to judge by, or nothing was fitted
        if trainer.fast_dev_run:  # type: ignore[attr-defined]  # Lightning sets it without declaring it
            ended = "went through" if task.stop is None else f"ended early ({sentence(task.stop.reason)})"
            say(
                f"{type(pl_module).__name__}: a trial (fast_dev_run) {ended}, with {task.updates}"
                f" update{'s' if task.updates > 1 else ''}: no estimates, no files; leave fast_dev_run out for a fit"
            )
            return
        result = _result(trainer, pl_module, data, task.planned_updates)
        self.result = run_of(trainer).result = replace(result, table=self.table)
        folder = run_directory(trainer)
        if folder is not None:
            with run_of(trainer).writing():
                self.result.save(folder / "estimates.json")
        if self.enabled:
            print_report(fit_report(self.result))
            if folder is not None:
                say(f"run directory: {folder}")


def _result(trainer: Trainer, module: LightningModule, data: EstimationDataModule, planned: int) -> FitResult:
    task, examination = task_of(module), run_of(trainer).examination
    loss = loss_function_of(module, data.train)
    optimizer, start = optimizer_of(trainer), examination.start
    untrusted = why_untrusted(task.stop)
    summary = summarise(
        loss,
        optimizer,
        data.statistics,
        data.truth,
        untrusted=untrusted,
        absolute_sigma=data.absolute_sigma,
        began=how_it_began(getattr(optimizer, "reached", None), task.model),
    )
    held_out_loss = mean_loss(module, data.validation) if data.validation.n else None
    losses = {"train": mean_loss(module, data.train), "val": held_out_loss}
    if held_out_loss is not None and not math.isfinite(held_out_loss):
        outside = outside_domain(loss_function_of(module, data.every))
        if outside is not None:
            caution = Fact(FactKind.HELD_OUT_OUTSIDE, cause=outside)
            summary = replace(summary, cautions=(*summary.cautions, caution))
    at_start = is_at_start(getattr(optimizer, "reached", None))
    stop = _how_it_ended(task, summary, loss, losses["train"], planned, at_start=at_start)
    if (
        stop.status is Status.DIVERGED
        and isinstance(stop.reason, Fact)
        and start is not None
        and not _left(stop.reason)
    ):
        stop = Stop(stop.status, replace(stop.reason, cure=cure_of_divergence(start, optimizer)))
    verdict = fit_verdict(examination.curve)
    stability = examination.stability
    assert data.split is not None  # the fit is over
    return record_of(
        type(module).__name__,
        stop,
        task.updates,
        loss,
        losses,
        data.validation.n,
        summary,
        data.raw.rows(data.split.train),
        partial(getattr, data, "described"),
        # A sample has no inputs to normalise.
        normalized_input=NormalizedInput.of(data.statistics) if data.normalization and data.statistics else None,
        learning_rate_limit=None if stability is None else stability.learning_rate_limit,
        condition_number=None if stability is None else stability.condition_number,
        verdict=verdict.verdict,
        verdict_updates=verdict.updates,
        metrics=_metrics(module, data),
        reasons={"verdict": (verdict.reason,), **_why_no_limit(examination)},
    )


def _metrics(module: LightningModule, data: EstimationDataModule) -> dict[str, dict[str, float]]:
    """Those that the task was given, of each part that has rows."""
    if not isinstance(module, EstimationTask):
        return {}
    parts = {"train": module.own_metrics(data.train), "val": module.own_metrics(data.validation)}
    return {part: values for part, values in parts.items() if values}


def _left(reason: Fact) -> bool:
    """Whether the fit has left a domain, which any learning rate may."""
    return reason.kind is FactKind.LEFT_DOMAIN or reason.cause is not None


def _why_no_limit(examination: Examination) -> dict[str, tuple[Reason, ...]]:
    stability = examination.stability
    if stability is None:
        return dict.fromkeys(("learning_rate_limit", "condition_number"), (examination.missing,))
    reasons = {"learning_rate_limit": stability.limit_reason, "condition_number": stability.condition_reason}
    return {key: (why,) for key, why in reasons.items() if why is not None}


def _how_it_ended(
    task: EstimationTaskLike,
    summary: Summary,
    loss: LossFunction,
    final_loss: float | None,
    planned: int,
    *,
    at_start: bool,
) -> Stop:
    """The status: what is not finite has diverged, whoever stopped it; what is close enough has converged.

    ``at_start`` says whether the updates of a solver have not led on from the start.
    """
    finite = all(bool(torch.isfinite(parameter).all()) for parameter in task.model.parameters())
    distance = summary.distance.total
    if task.stop is not None and task.stop.status is not Status.STOPPED_EARLY:
        return task.stop
    if not finite or final_loss is None or not math.isfinite(final_loss):
        return Stop(Status.DIVERGED, Fact(FactKind.NOT_FINITE_AT_END, cause=outside_domain(loss) if finite else None))
    if distance is not None and distance < CONVERGED_BELOW:
        numbers: dict[str, Number] = {"distance": distance, "threshold": CONVERGED_BELOW}
        cause = None if task.stop is None else task.stop.reason
        return Stop(Status.CONVERGED, Fact(FactKind.CLOSE_TO_OPTIMUM, numbers=numbers, cause=cause))
    if task.stop is not None:
        return task.stop
    if task.updates < planned or not planned:
        numbers = {"updates": task.updates, "planned": planned, "distance": distance, "at_start": at_start}
        return Stop(Status.STOPPED_EARLY, Fact(FactKind.TRAINER_STOPPED, numbers=numbers))
    return Stop(
        Status.LIMIT_REACHED, Fact(FactKind.ALL_UPDATES_MADE, numbers={"distance": distance, "at_start": at_start})
    )
