"""The result of a fit: its record, with model and data at hand as long as they are in memory."""

import copy
import json
import math
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import RenderableType
from torch import Tensor, nn

from paramfit.atomic_files import whole_file
from paramfit.data.columns import DescribedData
from paramfit.errors import InputError
from paramfit.export.formats import export_as
from paramfit.facts import Fact, FactKind, Reason, Status, Stop
from paramfit.fits.uncertainty_ladder import ladder
from paramfit.inference.bands import Bands, without_bands
from paramfit.inference.convergence import CONVERGED_BELOW
from paramfit.inference.lack_of_fit import misfit
from paramfit.inference.ladder.rungs import Ladder
from paramfit.inference.loss_function import LossFunction
from paramfit.inference.uncertainty import Uncertainty
from paramfit.models.base import unconstrained_values
from paramfit.observations import Observations
from paramfit.results.provenance import ONLY_FORMULAS, Origin
from paramfit.results.record import Estimate, NamedMatrix, Record
from paramfit.results.report import fit_report
from paramfit.results.statistics import without_criteria
from paramfit.results.summary import Summary
from paramfit.shown.tables import as_html, as_text

__all__ = ["FitResult", "columns_of", "load", "record_of"]

_NUMERIC = "biuf"  # numpy's kinds: truth values, signed and unsigned integers, floating-point numbers
_FILE = "estimates.json"
_WIDTH = 110


@dataclass(frozen=True, eq=False)
class FitResult(Record):
    """What a fit found, as ``fit`` and ``load`` return it: a ``Record`` that can be shown, saved and questioned.

    Example:
        >>> from paramfit import LinearModel, fit
        >>> result = fit(LinearModel(), ([0.0, 1.0, 2.0, 3.0], [1.1, 2.9, 5.1, 6.9]))
        >>> bands = result.predict([4.0])
        >>> round(bands.prediction.item(), 3)
        8.9
    """

    @classmethod
    def of(cls, record: Record) -> "FitResult":
        """The result that has these facts."""
        return cls(**{part.name: getattr(record, part.name) for part in fields(Record)})

    @property
    def origin(self) -> Origin | None:
        """Model, objective and data; None for a result that was loaded."""
        return self.made_of if isinstance(self.made_of, Origin) else None

    def report(self, width: int = _WIDTH) -> str:
        """The report as text: what ``print`` with rich shows.

        Args:
            width: of a line, in characters.
        """
        return as_text(self, width)

    def __str__(self) -> str:
        """The report, for Python's ``print``."""
        return self.report()

    def save(self, path: str | Path) -> Path:
        """Write the record as JSON, whole or not at all.

        Args:
            path: of the file; for a folder, ``estimates.json`` in it. Folders that are missing are made.

        Returns:
            The path of the file.
        """
        file = Path(path)
        if file.is_dir() or not file.suffix:
            file /= _FILE
        text = self.to_json().encode(errors="backslashreplace")  # half a surrogate pair, as JSON escapes it
        with whole_file(file) as unfinished:
            unfinished.write(text)
        return file

    def predict(self, *inputs: Any, sigma: Any = None) -> Bands:
        """The fitted curve with its 95 % bands at other inputs; the curve alone where the fit has no errors.

        Args:
            inputs: one row of numbers ``(n,)`` (or one number) for each input column, not normalised.
            sigma: standard deviation of a new observation at each row (or one for all), where the fit had a sigma.

        Returns:
            Without errors of the parameters (``notes["standard_error"]`` says why), and by a descent far from its
            optimum, standard error and confidence are NaN and there is no prediction band.

        Raises:
            InputError: if the fit has diverged to estimates that are not finite, for another number of inputs, for rows
                in which an argument of the distribution is outside what it allows, for columns of unequal lengths, for
                what is no row of numbers, and for a loaded result whose model no formulas say.
        """
        curve = self.curve
        model = self._at_estimates() if curve is None else curve.model
        columns, spread = columns_of(inputs, sigma)
        if self.normalized_input is not None:
            pairs = self.normalized_input.pairs
            if len(columns) != len(pairs):
                raise InputError(f"predict: the fit had {len(pairs)} input columns, but got {len(columns)}")
            columns = tuple((x - shift) * scale for x, (shift, scale) in zip(columns, pairs, strict=True))
        try:
            if curve is None:
                return without_bands(model, columns)
            curve.refuse_rows(columns)
            return curve.at(columns, spread)
        except TypeError as wrong:
            raise InputError(f"predict: the model takes other inputs than {len(columns)} columns ({wrong})") from wrong

    def _at_estimates(self) -> nn.Module:
        """The fitted model, on the input as the fit had it: the one in memory, or made again from its formulas."""
        if not all(math.isfinite(estimate.estimate) for estimate in self.parameters.values()):
            raise InputError(
                f"predict: the fit has {self.status.value}, and its estimates are not finite; fit again, with a smaller"
                " learning rate or other starts"
            )
        if self.origin is not None:
            return _moved_to_bounds(self.origin.model, self.parameters)
        if self.model is None:
            raise InputError(f"the file does not hold the model, {ONLY_FORMULAS}")
        return self.model.at({name: estimate.estimate for name, estimate in self.parameters.items()})

    def ladder(
        self,
        *,
        profile: bool = True,
        bootstrap: int = 0,
        seed: int = 0,
        progress: Callable[[int], None] | None = None,
    ) -> Ladder:
        """The same estimates with their errors by every way that there is; see ``paramfit.ladder``.

        Args:
            profile: whether to follow the profile likelihood of each parameter.
            bootstrap: number of resamples of the observations, such as 1000; 0 for none.
            seed: of the resamples.
            progress: called with the number of resamples that are solved.

        Raises:
            InputError: for a loaded result, which has no data, or a fit that is no likelihood.
        """
        return ladder(self, profile=profile, bootstrap=bootstrap, seed=seed, progress=progress)

    def figures(self, folder: str | Path) -> dict[str, Path]:
        """Draw the fit as PNG files: data, curve and bands, residuals, quantiles, correlations.

        Args:
            folder: where to; it is made if it is not there.

        Returns:
            The files by the names of the figures. One that cannot be drawn is left out, with a warning.

        Raises:
            InputError: for a loaded result, which has no data.
        """
        from paramfit.plotting.all_figures import Descent, fit_figures

        if self.origin is None or self.origin.data is None:
            raise InputError("figures: the result was read from a file, without its data; fit again")
        drawn = fit_figures(self.origin.model, self.origin.objective, self.origin.data(), Descent(self.updates), self)
        files = {}
        for name, picture in drawn.pictures():
            files[name] = Path(folder) / f"{name}.png"
            with whole_file(files[name]) as file:
                file.write(picture.png)
        for name, reason in drawn.left_out.items():
            warnings.warn(f"figures: {name} is left out ({reason})", stacklevel=2)
        return files

    def export(self, to: str, output: str | Path | None = None) -> str | Path:
        """The fitted model or its estimates, for use without paramfit.

        Args:
            to: ``numpy``: Python source of a function that needs NumPy alone, with the estimates inside; ``pt2``: a
                program of ``torch.export``; ``latex``: the equation with values and errors; ``latex-table``,
                ``markdown``, ``csv``: the table of estimates. ``numpy`` and ``latex`` are for models that formulas say.
            output: the file to write, whole or not at all; ``pt2``, which is no text, needs one.

        Returns:
            The text; where it went to a file, the file's path.

        Raises:
            InputError: if the model cannot be written in this format.

        Example:
            >>> from paramfit import LinearModel, fit
            >>> result = fit(LinearModel(), ([0.0, 1.0, 2.0, 3.0], [1.0, 3.0, 5.0, 7.0]))
            >>> names = {}
            >>> exec(result.export("numpy"), names)
            >>> float(names["predict"](4.0).round(12))
            9.0
        """
        return export_as(self, to, output, None if self.origin is None else self.origin.model)

    def with_ladder(self, errors: Ladder) -> "FitResult":
        """The result with its errors by other ways."""
        return replace(self, errors_by_way=errors)

    def __rich__(self) -> RenderableType:
        """The report, for rich's ``print``."""
        return fit_report(self)

    def _repr_html_(self) -> str:
        """The report, for a notebook."""
        return as_html(self)


def record_of(
    task: str,
    stop: Stop,
    updates: int,
    loss: LossFunction,
    losses: Mapping[str, float | None],
    n_validation: int,
    summary: Summary,
    observations: Observations,
    data: Callable[[], DescribedData],
    **more: Any,
) -> FitResult:
    """The result of a fit from what is known of it at its end."""
    cautions = summary.cautions
    if stop.status is Status.CONVERGED:
        cautions += misfit(loss, None if summary.residual is None else summary.residual.numpy())
    reasons = {
        "standard_error": summary.errors.reasons,
        "distance_to_optimum_in_standard_errors": summary.distance.reasons,
        "updates_to_converge": summary.updates_left_reasons,
    }
    squares, likelihood = summary.statistics, summary.likelihood
    distance = summary.distance.total
    if stop.status is not Status.CONVERGED and not (distance is not None and distance < CONVERGED_BELOW):
        if (squares is not None and squares.aic is not None) or (likelihood is not None and likelihood.aic is not None):
            reasons["information_criteria"] = (Fact(FactKind.NOT_AT_MAXIMUM),)
        squares = None if squares is None else without_criteria(squares)
        likelihood = None if likelihood is None else without_criteria(likelihood)
    if summary.original_units is None and summary.errors.covariance is not None:
        reasons["original_units"] = (Fact(FactKind.NORMALISATION_STAYS),)
    reasons |= more.pop("reasons", {})
    return FitResult(
        task=task,
        status=stop.status,
        stop_reason=stop.reason,
        updates=updates,
        loss={part: None if value is None else value + 0.0 for part, value in losses.items()},  # no −0
        n_observations={"train": loss.n, "val": n_validation},
        parameters=summary.parameters,
        method=summary.errors.method,
        original_units=summary.original_units,
        distance_to_optimum_in_standard_errors=summary.distance.total,
        distances_per_parameter=dict(zip(loss.names, summary.distance.per_parameter, strict=False)),
        updates_to_converge=summary.updates_left,
        reasons={key: why for key, why in reasons.items() if why},
        covariance=_matrix(loss.names, summary.covariance, summary.errors),
        correlation=_matrix(loss.names, summary.correlation, summary.errors),
        least_squares=squares,
        likelihood=likelihood,
        cautions=_meaningful(cautions, stop),
        made_of=Origin(loss.model, loss.objective, observations, summary.curve, data),
        **more,
    )


def _meaningful(cautions: Sequence[Reason], stop: Stop) -> tuple[Reason, ...]:
    """Without what a fit that has stalled cannot say: an interval there is none, nor is where a run-off was going."""
    if stop.status is not Status.STALLED:
        return tuple(cautions)
    lost = set() if isinstance(stop.reason, str) else set(stop.reason.parameters)
    return tuple(
        caution
        for caution in cautions
        if isinstance(caution, str)
        or not (
            caution.kind is FactKind.INTERVAL_OVER_BOUND
            or (caution.kind is FactKind.AT_BOUND and lost & {*caution.parameters})
        )
    )


def _matrix(names: tuple[str, ...], values: Tensor | None, errors: Uncertainty) -> NamedMatrix | None:
    """Of the parameters that have an error: a 0 for another would be read as if it were known."""
    if values is None:
        return None
    rows: list[list[float]] = values.tolist()
    if not errors.undetermined:
        return NamedMatrix(names, tuple(map(tuple, rows)))
    places = [k for k in range(len(names)) if k not in errors.undetermined]
    return NamedMatrix(tuple(names[k] for k in places), tuple(tuple(rows[j][k] for k in places) for j in places))


def _moved_to_bounds(model: nn.Module, estimates: Mapping[str, Estimate]) -> nn.Module:
    """The model at the estimates: of what has run into a bound by a transform that is the bound itself."""
    at_bound = {name: estimate for name, estimate in estimates.items() if estimate.at_bound is not None}
    if not at_bound:
        return model
    moved = copy.deepcopy(model)
    with torch.no_grad():
        for name, parameter in moved.named_parameters():
            if name in at_bound:
                value = torch.full_like(parameter, at_bound[name].estimate)
                parameter.copy_(unconstrained_values(moved, name, value))
    return moved


def columns_of(inputs: Sequence[Any], sigma: Any = None) -> tuple[tuple[Tensor, ...], Tensor | None]:
    """The columns to predict at, and the noise of new observations there, in float64.

    Raises:
        InputError: naming the one (from 0) that is no row of numbers, or has another length.
    """
    columns = tuple(_column(f"input {place}", given) for place, given in enumerate(inputs))
    spread = None if sigma is None else _column("sigma", sigma)
    n = len(columns[0]) if columns else None
    for place, column in enumerate(columns):
        if len(column) != n:
            raise InputError(
                f"predict: input {place} has {len(column)} values, but input 0 has {n}; give one for each row"
            )
    if spread is not None and n is not None and len(spread) not in (1, n):
        raise InputError(
            f"predict: sigma has {len(spread)} values, but the inputs have {n}; give one for each row, or one for all"
        )
    return columns, spread


def _column(name: str, given: Any) -> Tensor:
    """One column ``(n,)``."""
    if isinstance(given, Mapping) or hasattr(given, "columns"):
        raise InputError(
            f"predict: {name} is a table; give its columns one by one, in the fit's order, as predict(table['x'])"
        )
    if isinstance(given, Tensor):
        array = given.detach().cpu().double().numpy()
    else:
        try:
            array = np.asarray(given)
            if array.dtype.kind == "O" and array.ndim == 1:  # whole numbers beyond 64 bits, decimals, missing values
                array = array.astype(np.float64)
        except (TypeError, ValueError):
            array = np.empty(0, dtype=object)
    if array.dtype.kind not in _NUMERIC:
        raise InputError(
            f"predict: {name} is no row of numbers but {type(given).__name__}; give one row (n,) for each input column"
        )
    if array.ndim > 1:
        raise InputError(
            f"predict: {name} has the shape {array.shape}; give one row (n,) for each input column, as predict(x1, x2)"
        )
    return torch.from_numpy(array.astype(np.float64).reshape(-1))


def load(path: str | Path) -> FitResult:
    """Read a result that a run or ``result.save`` has written.

    It equals the result that was written. Report and comparison work as before, and so does ``predict`` where formulas
    say all of the model; the data are not in the file, so that there is no ladder and there are no figures.

    Args:
        path: of ``estimates.json``, or of the folder that holds it.

    Raises:
        InputError: if there is no such file, or it does not hold a result of this version.

    Example:
        >>> import tempfile
        >>> from paramfit import LinearModel, fit
        >>> result = fit(LinearModel(), ([0.0, 1.0, 2.0, 3.0], [1.1, 2.9, 5.1, 6.9]))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     load(result.save(folder)) == result
        True
    """
    given = Path(path)
    is_folder = os.path.isdir(given)  # unlike Path's, no error for what cannot be a file's name
    file = given / _FILE if is_folder else given
    if not os.path.isfile(file):
        if is_folder:
            msg = f"there is no {_FILE} in {given}; give the folder version_N of a fit that came to its end"
        else:
            msg = f"there is no {given}; give the folder version_N of a fit, or the {_FILE} in it"
        raise InputError(msg)
    try:
        plain = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as wrong:
        raise InputError(f"{file} cannot be read ({wrong}); fit again") from wrong
    if not isinstance(plain, dict):
        raise InputError(f"{file} does not hold a result; fit again")
    try:
        return FitResult.of(Record.from_plain(plain))
    except InputError as wrong:
        raise InputError(f"{file} {wrong}; fit again") from wrong
