"""Pictures of a fit, as PNG files and in TensorBoard."""

import copy
from collections.abc import Sequence

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.distributions import Distribution

from paramfit.callbacks.fit_report import FitReport
from paramfit.callbacks.run import data_of, run_directory, task_of
from paramfit.callbacks.uncertainty_ladder import UncertaintyLadder
from paramfit.data.base import EstimationDataModule
from paramfit.distributions.center import mean_of, median_of
from paramfit.distributions.ends import support_of
from paramfit.observations import Observations
from paramfit.outcome import Status
from paramfit.plotting import density_figure, fit_figure, loss_surface_figure, pixels, save_png, scatter_figure
from paramfit.plotting.curve_figures import bands_on, curve_figures, without_prediction_band
from paramfit.plotting.likelihood_figures import distribution_figures, ladder_figures
from paramfit.results.record import FitResult
from paramfit.tasks.updates import Update

__all__ = ["FitPlots"]

_POINTS_OF_PATH = 400
_FIRST_POINTS = 20
_UNLIMITED = 400_000  # a run without a limit is drawn as one of this length


class FitPlots(Callback):
    """At the end of a fit, draw it: ``figures/*.png`` in the run directory, and TensorBoard's images.

    With one input column: the observations (``scatter``), and the observations with the fitted curve (``fit``); for a
    distribution that is its mean, or its median where no mean is finite. Without inputs: the sample's kernel density
    with the fitted density (``density``), if that is continuous. With one or two scalar parameters: the loss surface
    with the path of descent (``loss_surface``).

    After ``LeastSquares``, the fit has its 95 % bands, and there are its ``residuals`` with their quantiles, the
    ``correlation`` of the estimates and, for several inputs, ``residuals_by_input`` and ``observed`` against fitted.

    After maximum likelihood, by whatever optimizer, the fit has the confidence band of its mean, and there are
    ``histogram`` and ``quantiles`` of a sample or the ``residual_quantiles`` of a regression, the ``correlation`` of
    the estimates and, where the ladder was asked for, the ``profile`` of each parameter and the ``contours`` of pairs.

    Args:
        enabled: whether to draw at all.
    """

    def __init__(self, enabled: bool = True) -> None:
        self.enabled = enabled
        self._path: list[Tensor] = []
        self._stride = 1

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Listen to the updates, to know the path."""
        task = task_of(pl_module)
        scalars = all(parameter.ndim == 0 for parameter in task.model.parameters())
        if not self.enabled or run_directory(trainer) is None or data_of(trainer) is None:
            return
        if not scalars or len(task.names) > 2:
            return
        self._stride = max(1, (task.planned_updates or _UNLIMITED) // _POINTS_OF_PATH)
        self._path = [_point([parameter for parameter in task.model.parameters() if parameter.requires_grad])]
        task.listeners.append(self)

    def next_update(self, after: int) -> int:
        """The first twenty, then some hundred more."""
        return after + 1 if after < _FIRST_POINTS else (after // self._stride + 1) * self._stride

    def on_update(self, update: Update) -> None:
        """Keep one point of the path."""
        self._path.append(_point(update.parameters))

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw."""
        data, folder = data_of(trainer), run_directory(trainer)
        if not self.enabled or data is None or folder is None:
            return
        callbacks = getattr(trainer, "callbacks", [])
        report = next((callback for callback in callbacks if isinstance(callback, FitReport)), None)
        result = None if report is None else report.result
        ladder = next((callback for callback in callbacks if isinstance(callback, UncertaintyLadder)), None)
        for name, figure in self._figures(pl_module, data, result, ladder).items():
            save_png(figure, folder / "figures" / f"{name}.png")
            for logger in trainer.loggers:
                if isinstance(logger, TensorBoardLogger):
                    logger.experiment.add_image(
                        f"figures/{name}", pixels(figure), task_of(pl_module).updates, dataformats="HWC"
                    )

    def _figures(
        self,
        module: LightningModule,
        data: EstimationDataModule,
        result: FitResult | None,
        ladder: UncertaintyLadder | None,
    ) -> dict[str, Figure]:
        task, raw = task_of(module), data.raw
        model = copy.deepcopy(task.model).cpu().eval()  # drawing must not change the model
        figures: dict[str, Figure] = {}
        finite = all(bool(torch.isfinite(parameter).all()) for parameter in model.parameters())
        diverged = not finite or (task.stop is not None and task.stop.status is Status.DIVERGED)
        title = f"{'diverged ' if diverged else ''}after {task.updates} updates"
        held_out = torch.zeros(raw.n, dtype=torch.bool)
        if data.split is not None:
            held_out[data.split.validation] = True
        if len(raw.inputs) == 1:
            figures["scatter"] = scatter_figure(raw.inputs[0], raw.target, data.labels, held_out, raw.censoring)
            grid = torch.linspace(raw.inputs[0].min().item(), raw.inputs[0].max().item(), 300, dtype=raw.target.dtype)
            curve, label = (None, "fit") if diverged else _curve(model, data, grid)
            if curve is not None and bool(torch.isfinite(curve).all()):
                banded = None if result is None or label != "fit" else result.curve
                bands = None if banded is None else bands_on(banded, data, grid)
                figures["fit"] = fit_figure(
                    raw.inputs[0],
                    raw.target,
                    grid,
                    curve,
                    data.labels,
                    title,
                    held_out,
                    bands,
                    raw.sigma,
                    label,
                    raw.censoring,
                    None if banded is None else without_prediction_band(banded, data),
                )
        elif not raw.inputs and not diverged and raw.censoring is None:
            with torch.no_grad():
                fitted = model()
            if isinstance(fitted, Distribution) and not support_of(fitted).discrete:
                figures["density"] = density_figure(raw.target, fitted, data.labels, title)
        if result is not None:
            figures |= curve_figures(result, data, held_out)
            if not diverged:
                figures |= distribution_figures(model, result, data, held_out, title)
            if ladder is not None and ladder.ladder is not None:
                figures |= ladder_figures(ladder.ladder, ladder.pairs, result, title)
        if len(self._path) > 1:
            surface = loss_surface_figure(
                model, task.objective, _in_precision_of(model, data.train), torch.stack(self._path), title
            )
            if surface is not None:
                figures["loss_surface"] = surface
        return figures


def _point(parameters: Sequence[Tensor]) -> Tensor:
    return torch.stack([parameter.detach().cpu().clone() for parameter in parameters])


def _in_precision_of(model: nn.Module, observations: Observations) -> Observations:
    return observations.to(next(model.parameters()).dtype)


def _curve(model: nn.Module, data: EstimationDataModule, grid: Tensor) -> tuple[Tensor | None, str]:
    """The prediction over the raw input's range, or None, and what it is called.

    Of a distribution it is the mean; the median, if that is not finite.
    """
    shift, scale = data.statistics[0]
    dtype = next(model.parameters()).dtype
    try:
        with torch.no_grad():
            predicted = model(((grid - shift) * scale).to(dtype))
    except RuntimeError:
        return None, "fit"  # a model that takes just as many rows as the data have
    label = "fit"
    if isinstance(predicted, Distribution):
        mean = mean_of(predicted)
        if mean is not None and not bool(mean.isfinite().any()):
            mean, label = median_of(predicted), "fit (median)"
        predicted = mean
    return (predicted if predicted is not None and predicted.shape == grid.shape else None), label
