"""What a run was made of and how it ended, in a form that runs can be sorted by."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import yaml
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from paramfit.atomic_files import whole_file
from paramfit.callbacks.run import FileWriting, data_of, optimizer_of, run_directory, run_of, task_of
from paramfit.facts import Status
from paramfit.fits.result import FitResult
from paramfit.models import DistributionModel
from paramfit.models.base import natural_values
from paramfit.parameters import ParameterSpec
from paramfit.tasks.updates import EstimationTaskLike, parameter_values
from paramfit.wording import visible

__all__ = ["HyperparameterLog"]

_FILE = "hparams.yaml"
_ENDS = ("hp/train_loss", "hp/val_loss", "hp/status", "hp/distance")
_OF_BLOCKS = "updates_per_step"  # which the block writes into the optimizer's groups
_MOVING = frozenset({"last_epoch", "best", "cooldown_counter", "num_bad_epochs", "mode_worse"})  # of a scheduler


class HyperparameterLog(FileWriting, Callback):
    """The hyperparameters of a run: ``hparams.yaml``, and TensorBoard's page HPARAMS, or that of any other logger.

    Logged when training starts are the classes of task, model, objective and optimizer, the start of each parameter,
    the learning rate and what else the optimizer was given, the normalisation, updates in a block, rows in a batch and
    the seed. At the end follow the metrics ``hp/train_loss``, ``hp/val_loss``, ``hp/distance`` (to the optimum, in
    standard errors) and ``hp/status``, the status's number:

    0 converged, 1 stalled, 2 stopped early, 3 limit reached, 4 diverged, 5 interrupted, 6 terminated.

    A parameter for which a solver needs no start has none: ``null`` in the file, an empty cell on TensorBoard's page.

    Args:
        enabled: whether to log them.
    """

    def __init__(self, enabled: bool = True) -> None:
        self.enabled = enabled
        self._starts: dict[str, float | None] = {}
        self._is_logged = False

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look at the start."""
        self._is_logged = False
        self._starts = _starts(task_of(pl_module)) if self.enabled and trainer.loggers else {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log what the run is made of."""
        if not self.enabled or not trainer.loggers or self._is_logged:
            return
        self._is_logged = True
        made_of = {**_made_of(trainer, pl_module), **self._starts}
        folder = run_directory(trainer)
        with run_of(trainer).writing():
            saved: dict[Path, Mapping[str, Any]] = {} if folder is None else {folder: {}}
            for logger in trainer.loggers:
                if isinstance(logger, TensorBoardLogger):
                    _write_session(logger, made_of)
                    saved[Path(logger.log_dir)] = cast("Mapping[str, Any]", logger.hparams)
                else:
                    logger.log_hyperparams(made_of)
                if isinstance(logger, CSVLogger):
                    saved[Path(logger.log_dir)] = logger.experiment.hparams
            for folder, by_module in saved.items():
                _write_file(folder, made_of, by_module)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log how the run ended."""
        result = run_of(trainer).result
        if not self.enabled or result is None:
            return
        self.on_train_start(trainer, pl_module)  # of a resumed fit that had no update left to make
        with run_of(trainer).writing():
            for logger in trainer.loggers:
                logger.log_metrics(_ended(result), step=result.updates)
                if isinstance(logger, TensorBoardLogger):
                    _write_end(logger)


def _made_of(trainer: Trainer, module: LightningModule) -> dict[str, Any]:
    """The hyperparameters by name: words, whole numbers, floats."""
    task, data, optimizer = task_of(module), data_of(trainer), optimizer_of(trainer)
    options = {
        name: value
        for name, value in optimizer.param_groups[0].items()
        if isinstance(value, int | float) and not isinstance(value, bool) and value and name != _OF_BLOCKS
    }
    scheduler = trainer.lr_scheduler_configs[0].scheduler if trainer.lr_scheduler_configs else None
    rate = options.pop("initial_lr", options.get("lr"))  # of the start, where a scheduler changes it
    made_of = {
        "task": type(module).__name__,
        "model": type(task.model).__name__,
        "distribution": getattr(task.model, "distribution_name", None),
        "formula": _formula_of(task.model),
        **_with_options("objective", task.objective),
        **_with_options("gradient", getattr(module, "gradient", None)),
        "optimizer": type(optimizer).__name__,
        **options,
        "lr": rate,
        **_with_options("scheduler", scheduler),
        "updates_per_step": getattr(module, "updates_per_step", None),
        "max_epochs": trainer.max_epochs,
        "seed": int(os.environ["PL_GLOBAL_SEED"]) if "PL_GLOBAL_SEED" in os.environ else None,
    }
    if data is not None:
        made_of |= {
            "data": type(data).__name__,
            "path": _as_written(getattr(data, "path", None)),
            **_with_options("normalization", data.normalization, without="none"),
            "batch_size": data.batch_size or data.train.n,
            "n_train": data.train.n,
            "n_val": data.validation.n,
        }
    return {
        name: visible(value) if isinstance(value, str) else value
        for name, value in made_of.items()
        if value is not None
    }


def _formula_of(model: Any) -> str | None:
    """What a model computes, or each argument of its distribution, where formulas say it."""
    if isinstance(model, DistributionModel):
        return ", ".join(f"{name} = {formula}" for name, formula in model.formulas.items())
    formula: str | None = getattr(model, "formula", None)
    return formula


def _with_options(role: str, part: Any, without: str | None = None) -> dict[str, Any]:
    """The class of a part, and what it was given as far as that is a number, a text or a truth value."""
    if part is None:
        return {role: without}
    options = {
        f"{role}/{name}": value
        for name, value in vars(part).items()
        if isinstance(value, int | float | str) and value and not name.startswith("_") and name not in _MOVING
    }
    return {role: type(part).__name__, **options}


def _as_written(path: Any) -> str | None:
    """A path, or several, as one text."""
    paths = path if isinstance(path, list | tuple) else [path]
    return None if path is None else ", ".join(map(str, paths))


def _starts(task: EstimationTaskLike) -> dict[str, float | None]:
    """The start of each parameter, within its bounds; of a resumed fit those that the model was given.

    None where a solver finds the value without a start; a descent without one begins where the model is.
    """
    specifications: Mapping[str, ParameterSpec] = getattr(task.model, "specifications", {})
    given = {name: specifications[name].start for name in task.names if name in specifications}
    startless = [name for name, start in given.items() if start is None]
    starts: dict[str, float | None] = {name: start for name, start in given.items() if start is not None}
    if not task.updates:
        parameters = [parameter for parameter in task.model.parameters() if parameter.requires_grad]
        starts |= parameter_values(task.names, natural_values(task.model, task.names, parameters))
    if getattr(task, "is_solved", False):
        starts |= dict.fromkeys(startless)
    return {f"start/{visible(name)}": start for name, start in starts.items()}


def _ended(result: FitResult) -> dict[str, float]:
    values = (
        result.loss["train"],
        result.loss["val"],
        float(list(Status).index(Status(result.status))),
        result.distance_to_optimum_in_standard_errors,
    )
    return {name: value for name, value in zip(_ENDS, values, strict=True) if value is not None}


def _write_file(folder: Path, made_of: dict[str, Any], by_module: Mapping[str, Any]) -> None:
    """The file in a folder: what the run is made of, and what a module has saved itself, as far as YAML can say it.

    In the place of Lightning's own, whose names are sorted by the alphabet, or which has the latter alone.
    """
    further = {name: value for name, value in by_module.items() if name not in made_of and _is_plain(value)}
    text = yaml.safe_dump({**made_of, **further}, sort_keys=False, allow_unicode=True)
    with whole_file(folder / _FILE) as file:
        file.write(text.encode())


def _is_plain(value: Any) -> bool:
    """Whether YAML can say a value without naming a class."""
    try:
        yaml.safe_dump(value)
    except yaml.representer.RepresenterError:
        return False
    return True


def _write_session(logger: TensorBoardLogger, made_of: dict[str, Any]) -> None:
    """What TensorBoard's page needs at the start: the names of hyperparameters and metrics, and this run's values.

    What has no value is left out: a column with a text in one run would be sorted as text in all.
    """
    from torch.utils.tensorboard.summary import hparams  # needed by runs with curves alone

    values = {name: value for name, value in made_of.items() if value is not None}
    experiment, session, _ = hparams(values, dict.fromkeys(_ENDS, 0.0))  # type: ignore[no-untyped-call]  # torch's
    for summary in (experiment, session):
        logger.experiment.file_writer.add_summary(summary)


def _write_end(logger: TensorBoardLogger) -> None:
    from torch.utils.tensorboard.summary import hparams  # as above

    end = hparams({}, {})[2]  # type: ignore[no-untyped-call]  # torch's
    logger.experiment.file_writer.add_summary(end)
    logger.experiment.flush()
