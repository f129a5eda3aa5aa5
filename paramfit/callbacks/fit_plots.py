"""Pictures of a fit, as PNG files and in TensorBoard."""

from collections.abc import Sequence

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor

from paramfit.atomic_files import whole_file
from paramfit.callbacks.run import FileWriting, data_of, mean_loss, optimizer_of, run_directory, run_of, task_of
from paramfit.facts import Status
from paramfit.plotting.all_figures import Descent, fit_figures
from paramfit.plotting.animation import descent_film
from paramfit.shown.text import say
from paramfit.solvers.solver_optimizer import SolverOptimizer
from paramfit.tasks.updates import Update

__all__ = ["FitPlots"]

_TAG = "visual"  # sorts after val/: curves come first
_POINTS_OF_PATH = 400
_FIRST_POINTS = 60
_UNLIMITED = 400_000  # a run without a limit is drawn as one of this length


class FitPlots(FileWriting, Callback):
    """At the end of a fit, draw it: ``figures/*.png`` in the run directory, and TensorBoard's images ``visual/...``.

    With one input column: the observations (``scatter``), and the observations with the fitted curve (``fit``); for a
    distribution that is its mean, or its median where no mean is finite. Without inputs: the sample's kernel density
    with the fitted density (``density``), if that is continuous. With one or two scalar parameters: the loss surface
    with the path of descent and the closed-form optimum (``loss_surface``). Of a descent, its losses over the updates
    (``loss_curve``), and the confidence band of the fit where it is near its optimum.

    After ``LeastSquares``, the fit has its 95 % bands, and there are its ``residuals`` with their quantiles, the
    ``correlation`` of the estimates and, for several inputs, ``residuals_by_input`` and ``observed`` against fitted.

    After maximum likelihood, by whatever optimizer, the fit has the confidence band of its mean, and there are
    ``histogram`` and ``quantiles`` of a sample or the ``residual_quantiles`` of a regression, the ``correlation`` of
    the estimates and, where the ladder was asked for, the ``profile`` of each parameter and the ``contours`` of pairs.

    A figure that cannot be drawn is left out, and a line says why.

    Args:
        enabled: whether to draw at all.
        animation: whether to write ``figures/descent.gif`` too: the path on the loss surface, growing.
    """

    def __init__(self, enabled: bool = True, animation: bool = False) -> None:
        self.enabled = enabled
        self.animation = animation
        self._losses: list[tuple[int, float]] = []
        self._records = False
        self._path: list[Tensor] = []
        self._follows = False
        self._resumed: Tensor | None = None
        self._resumed_losses: list[tuple[int, float]] = []
        self._stride = 1

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin the path, or go on with that of the checkpoint."""
        task = task_of(pl_module)
        scalars = all(parameter.ndim == 0 for parameter in task.model.parameters())
        drawn = self.enabled and run_directory(trainer) is not None and data_of(trainer) is not None
        run_of(trainer).has_figures = drawn
        self._follows = drawn and scalars and len(task.names) <= 2
        self._records = drawn and not isinstance(optimizer_of(trainer), SolverOptimizer)
        self._losses, self._resumed_losses = (self._resumed_losses if self._records else []), []
        resumed, self._resumed = self._resumed, None
        if not self._follows:
            self._path = []
        elif resumed is not None and resumed.ndim == 2 and resumed.shape[1] == len(task.names):
            self._path = list(resumed)
        else:
            self._path = [_point([parameter for parameter in task.model.parameters() if parameter.requires_grad])]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Listen to the updates, to know path and losses."""
        task = task_of(pl_module)
        if self._follows or self._records:
            # Odd: of a zigzag every other update is on one side.
            self._stride = (task.planned_updates or _UNLIMITED) // _POINTS_OF_PATH | 1
            task.listeners.append(self)

    def next_update(self, after: int) -> int:
        """The first sixty, then some hundred more."""
        return after + 1 if after < _FIRST_POINTS else (after // self._stride + 1) * self._stride

    def on_update(self, update: Update) -> None:
        """Keep one point of the path, and the loss before the update."""
        if self._follows:
            self._path.append(_point(update.parameters))
        if self._records:
            self._losses.append((update.number - 1, update.loss))

    def state_dict(self) -> dict[str, Tensor]:
        """Path and losses so far, for the figures of a resumed fit."""
        state = {"path": torch.stack(self._path)} if self._path else {}
        return {**state, "losses": torch.tensor(self._losses, dtype=torch.float64)} if self._losses else state

    def load_state_dict(self, state_dict: dict[str, Tensor]) -> None:
        """Take path and losses up at the start of the fit."""
        path = state_dict.get("path")
        self._resumed = path if isinstance(path, Tensor) else None
        losses = state_dict.get("losses")
        if isinstance(losses, Tensor) and losses.ndim == 2:
            self._resumed_losses = [(int(updates), loss) for updates, loss in losses.tolist()]

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw."""
        data, folder = data_of(trainer), run_directory(trainer)
        if not self.enabled or data is None or folder is None:
            return
        task, run = task_of(pl_module), run_of(trainer)
        diverged = task.stop is not None and task.stop.status is Status.DIVERGED
        curve, losses = run.examination.curve, tuple(self._losses)
        if losses:
            losses = (*losses, (task.updates, mean_loss(pl_module, data.train)))
        held_out = tuple((point.update, point.validation) for point in curve)
        name = f"{folder.parent.name}/{folder.name}"
        history = Descent(task.updates, tuple(self._path), diverged, losses, held_out, name)
        figures = fit_figures(task.model, task.objective, data.described, history, run.result, run.ladder, run.pairs)
        for name, picture in figures.pictures():
            with run.writing(), whole_file(folder / "figures" / f"{name}.png") as file:
                file.write(picture.png)
            for logger in trainer.loggers:
                if isinstance(logger, TensorBoardLogger):
                    logger.experiment.add_image(f"{_TAG}/{name}", picture.pixels, task.updates, dataformats="HWC")
        if self.animation and "loss_surface" in figures.figures:
            with run.writing(), whole_file(folder / "figures" / "descent.gif") as file:
                file.write(descent_film(figures.figures["loss_surface"]))
        for name, reason in figures.left_out.items():
            say(f"figure {name} is left out: {reason}")


def _point(parameters: Sequence[Tensor]) -> Tensor:
    return torch.stack([parameter.detach().cpu().clone() for parameter in parameters])
