"""All figures that a fit has."""

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.distributions import Distribution

from paramfit.data.columns import DescribedData
from paramfit.distributions.center import mean_of, median_of
from paramfit.distributions.domain import outside_fact, outside_rows, refused_fact, unchecked
from paramfit.distributions.support import support_of
from paramfit.errors import InputError
from paramfit.inference.convergence import closed_form
from paramfit.inference.ladder.rungs import Ladder
from paramfit.inference.loss_function import LossFunction
from paramfit.inference.profile.profiles import PairProfile
from paramfit.objectives import Objective
from paramfit.plotting import correlation_figure
from paramfit.plotting.contour import contour_figure
from paramfit.plotting.density import density_figure, histogram_figure
from paramfit.plotting.fit import fit_figure, scatter_figure
from paramfit.plotting.image import Picture, picture
from paramfit.plotting.least_squares_figures import (
    bands_on,
    curve_figures,
    without_prediction_band,
)
from paramfit.plotting.loss_curve import loss_curve_figure
from paramfit.plotting.loss_surface import loss_surface_figure
from paramfit.plotting.profile import profile_figure
from paramfit.plotting.quantiles import quantile_figure, quantile_residual_figure, quantile_residuals
from paramfit.results.record import Record
from paramfit.shown.words import sentence
from paramfit.wording import visible

__all__ = ["Descent", "FigureSet", "fit_figures"]

_LONGEST_REASON = 300  # characters: a library may print a whole tensor


@dataclass(frozen=True)
class Descent:
    """How a fit came to its end.

    Attributes:
        updates: how many it made.
        path: points of it, each ``(p,)``, where it was followed; it is drawn for one or two scalar parameters.
        diverged: whether it ended far from anything.
        losses: training losses of a descent, each after so many updates.
        held_out: validation losses likewise.
        run: what the run is called, for the titles; nothing for a fit that left no files.
    """

    updates: int
    path: tuple[Tensor, ...] = ()
    diverged: bool = False
    losses: tuple[tuple[int, float], ...] = ()
    held_out: tuple[tuple[int, float], ...] = ()
    run: str | None = None


@dataclass(frozen=True)
class FigureSet:
    """The figures of a fit by the names of their files, and why others could not be drawn.

    Attributes:
        figures: what was drawn.
        left_out: what stood in the way, in one line, by the name of the figure.
    """

    figures: dict[str, Figure] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def drawing(self, name: str) -> Iterator[None]:
        """Leave the figure out if anything goes wrong: it must not cost the fit its other figures."""
        try:
            yield
        except Exception as wrong:  # of the model, of a library: there is no common base
            self.left_out[name] = _why_not(wrong)

    def draw(self, name: str, make: Callable[..., Figure | None], *arguments: Any, **options: Any) -> None:
        """Draw one figure; none where ``make`` has none."""
        with self.drawing(name):
            figure = make(*arguments, **options)
            if figure is not None:
                self.figures[name] = figure

    def pictures(self) -> Iterator[tuple[str, Picture]]:
        """Each figure as pixels and PNG; what cannot be rendered is left out too."""
        for name, figure in self.figures.items():
            with self.drawing(name):
                rendered = picture(figure)
            if name not in self.left_out:
                yield name, rendered


def fit_figures(
    model: nn.Module,
    objective: Objective,
    data: DescribedData,
    descent: Descent,
    result: Record | None = None,
    ladder: Ladder | None = None,
    pairs: Sequence[PairProfile] = (),
) -> FigureSet:
    """The figures by the names of their files.

    The model, at the end of the fit, is left as it is. Without a result there are no bands, residuals, correlations and
    quantiles; the ladder gives the profiles, and the profiled deviances of pairs of parameters the contours.
    """
    model = copy.deepcopy(model).cpu().eval()
    raw = data.raw
    drawn = FigureSet()
    finite = all(bool(torch.isfinite(parameter).all()) for parameter in model.parameters())
    diverged = descent.diverged or not finite
    named = type(model).__name__ if descent.run is None else f"{type(model).__name__} ({descent.run})"
    made = f"{descent.updates} update{'' if descent.updates == 1 else 's'}"
    title = f"{named}, {'diverged ' if diverged else ''}after {made}"
    if len(raw.inputs) == 1:
        points = (raw.inputs[0], raw.target, data.labels, data.held_out, raw.censoring)
        drawn.draw("scatter", scatter_figure, *points, named)
        if not diverged:
            drawn.draw("fit", _fit_over_the_input, model, data, result, title)
    elif not raw.inputs and not diverged and raw.censoring is None:
        drawn.draw("density", _density, model, data, title)
    if result is not None:
        with drawn.drawing("residuals"):  # whose look at the residuals others share
            for name, make in curve_figures(result, data, title).items():
                drawn.draw(name, make)
        drawn.draw("correlation", _correlation, result, title, is_likelihood_shown=not diverged)
        if not diverged and result.likelihood is not None and raw.censoring is None:
            _draw_distribution(drawn, model, data, title)
        if ladder is not None:
            drawn.draw("profile", _profile, ladder, result, title)
            drawn.draw("contours", _contours, pairs, result, title)
    if len(descent.path) > 1:
        drawn.draw("loss_surface", _loss_surface, model, objective, data, descent.path, title, diverged=diverged)
    if descent.losses:
        drawn.draw("loss_curve", loss_curve_figure, descent.losses, descent.held_out, title)
    return drawn


def _why_not(wrong: Exception) -> str:
    """What stood in the way of a figure, in one line."""
    outside = refused_fact(wrong)
    if outside is not None:
        return sentence(outside)
    said = visible(" ".join(str(wrong).split()))[:_LONGEST_REASON]
    return said if isinstance(wrong, InputError) else f"{type(wrong).__name__}: {said}"


def _fit_over_the_input(model: nn.Module, data: DescribedData, result: Record | None, title: str) -> Figure | None:
    """The observations over the only input, and the fitted curve with its bands."""
    raw = data.raw
    grid = torch.linspace(raw.inputs[0].min().item(), raw.inputs[0].max().item(), 300, dtype=raw.target.dtype)
    curve, label = _curve(model, data, grid)
    if curve is None:
        return None
    banded = None if result is None or label != "fit" else result.curve
    return fit_figure(
        raw.inputs[0],
        raw.target,
        grid,
        curve,
        data.labels,
        title,
        data.held_out,
        None if banded is None else bands_on(banded, data, grid),
        raw.sigma,
        label,
        raw.censoring,
        None if banded is None else without_prediction_band(banded, data),
    )


def _density(model: nn.Module, data: DescribedData, title: str) -> Figure | None:
    """The kernel density of a sample with the fitted density, if that is continuous."""
    with torch.no_grad():
        fitted = model()
    if not isinstance(fitted, Distribution) or support_of(fitted).discrete:
        return None
    return density_figure(data.raw.target, fitted, data.labels, title)


def _draw_distribution(drawn: FigureSet, model: nn.Module, data: DescribedData, title: str) -> None:
    """Histogram and quantiles of a sample; of a regression the quantiles of its residuals.

    Not of censored observations: a bound has no place in a histogram or among quantiles.
    """
    raw, held_out = data.every, data.held_out
    dtype, target = next(model.parameters()).dtype, raw.target.double()
    with drawn.drawing("residual_quantiles" if raw.inputs else "histogram"):
        with torch.no_grad(), unchecked():
            fitted = model(*(x.to(dtype) for x in raw.inputs))
        if not isinstance(fitted, Distribution):
            return
        outside = outside_fact(fitted, inputs=raw.inputs)
        if outside is not None:
            drawn.left_out["residual_quantiles"] = f"{sentence(outside)}: such a row has no quantile"
        elif raw.inputs:
            residuals = quantile_residuals(fitted, target)
            drawn.draw("residual_quantiles", quantile_residual_figure, residuals, title, held_out)
        else:
            drawn.draw("histogram", histogram_figure, target, fitted, data.labels, title)
            drawn.draw("quantiles", quantile_figure, target, fitted, data.labels.input, title, held_out)


def _correlation(result: Record, title: str, *, is_likelihood_shown: bool) -> Figure | None:
    """The correlations, where there are any."""
    curved = result.curve is not None and result.least_squares is not None
    if not curved and not (is_likelihood_shown and result.likelihood is not None):
        return None
    if result.correlation is None or len(result.correlation.parameters) < 2:
        return None
    matrix = torch.tensor(result.correlation.matrix, dtype=torch.float64)
    return correlation_figure(result.correlation.parameters, matrix, title)


def _profile(ladder: Ladder, result: Record, title: str) -> Figure | None:
    """Profiles beside their parabolas."""
    if not ladder.profiles:
        return None
    units = {name: estimate.unit for name, estimate in result.parameters.items()}
    errors = {name: estimate.standard_error for name, estimate in result.parameters.items()}
    profiles, statistics = list(ladder.profiles.values()), result.least_squares
    if statistics is not None and statistics["sigma_is"] != "absolute":
        return profile_figure(profiles, errors, title, units, quantity="(RSS − RSS$_{min}$) / s²")
    return profile_figure(profiles, errors, title, units)


def _contours(pairs: Sequence[PairProfile], result: Record, title: str) -> Figure | None:
    """Contours of pairs of parameters."""
    if not pairs or result.covariance is None:
        return None
    units = {name: estimate.unit for name, estimate in result.parameters.items()}
    matrix = torch.tensor(result.covariance.matrix, dtype=torch.float64)
    return contour_figure(pairs, result.covariance.parameters, matrix, title, units)


def _loss_surface(
    model: nn.Module, objective: Objective, data: DescribedData, path: Sequence[Tensor], title: str, *, diverged: bool
) -> Figure | None:
    """The loss over one or two parameters, with the path of descent and the optimum."""
    trained = data.every.rows(~data.held_out).to(next(model.parameters()).dtype)
    loss = LossFunction(model, objective, trained)
    best = closed_form(loss)
    return loss_surface_figure(
        model,
        objective,
        trained,
        torch.stack(list(path)),
        title,
        optimum=None if best is None else loss.natural(best),
        units=_units(data),
        diverged=diverged,
    )


def _units(data: DescribedData) -> str:
    """In which units a descent saw its parameters."""
    if not data.statistics:
        return "in original units"
    if len(data.statistics) > 1:
        return "on the normalised inputs"
    ((shift, scale),) = data.statistics
    return (
        f"on the normalised input {scale:.4g} x"
        if shift == 0
        else f"on the normalised input {scale:.4g} (x − {shift:.4g})"
    )


def _curve(model: nn.Module, data: DescribedData, grid: Tensor) -> tuple[Tensor | None, str]:
    """The prediction over the raw input's range, or None where it is not finite, and what it is called.

    Of a distribution it is the mean; the median, if that is not finite; NaN where there is no such distribution.
    """
    shift, scale = data.statistics[0] if data.statistics else (0.0, 1.0)
    dtype = next(model.parameters()).dtype
    try:
        with torch.no_grad(), unchecked():
            predicted = model(((grid - shift) * scale).to(dtype))
    except RuntimeError:
        return None, "fit"  # a model that takes just as many rows as the data have
    label = "fit"
    if isinstance(predicted, Distribution):
        mean = mean_of(predicted)
        if mean is not None and not bool(mean.isfinite().any()):
            mean, label = median_of(predicted), "fit (median)"
        outside = outside_rows(predicted, len(grid))
        predicted = None if mean is None or mean.shape != grid.shape else mean.masked_fill(outside, math.nan)
        drawable = predicted is not None and bool(predicted[~outside].isfinite().all()) and not bool(outside.all())
    else:
        drawable = predicted.shape == grid.shape and bool(predicted.isfinite().all())
    return (predicted if drawable else None), label
