"""Estimates by name, in the space the user thinks in."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from paramfit.inference.loss_function import LossFunction
from paramfit.inference.uncertainty import Uncertainty
from paramfit.linalg.lapack import lengths
from paramfit.models import ParametricModel
from paramfit.models.base import specification_of
from paramfit.parameters import ParameterSpec
from paramfit.results.record import Estimate

__all__ = ["NaturalEstimates", "natural_estimates"]

_NOTHING_SAID = ParameterSpec()


@dataclass(frozen=True)
class NaturalEstimates:
    """The estimates on the input as the model saw it, and on the raw input.

    Attributes:
        parameters: every parameter, fixed ones included, in the model's order.
        original_units: the same on the raw input; None where the model cannot undo the normalisation.
        root: F ``(p, r)``, with F F^T the covariance of the estimated parameters within their bounds; None where there
            is none.
    """

    parameters: dict[str, Estimate]
    original_units: dict[str, Estimate] | None
    root: Tensor | None

    @property
    def covariance(self) -> Tensor | None:
        """F F^T, ``(p, p)``."""
        if self.root is None:
            return None
        root = self.root.numpy()
        return torch.from_numpy(root @ root.T)


def natural_estimates(
    loss: LossFunction,
    theta: Tensor,
    errors: Uncertainty,
    normalization: Sequence[tuple[float, float]],
    truth: dict[str, float] | None,
    exact: Tensor | None = None,
    gradient: Tensor | None = None,
) -> NaturalEstimates:
    r"""Estimates and errors within the parameters' bounds, by the delta method from the unconstrained numbers.

    .. math:: \theta = t(u), \qquad C_\theta = D C_u D, \qquad D = \mathrm{diag}(d\theta / du)
    """
    values, root = theta, None if errors.covariance is None else errors.root
    if getattr(loss.model, "transforms", None):
        values = loss.natural(theta)
        root = None if root is None else loss.slopes(theta)[:, None] * root
    bounds = _sides(loss, values, errors.at_bound)
    if bounds:  # of what has run into a bound by a transform the bound itself is the estimate
        box = {name: specification_of(loss.model, name).box for name in bounds}
        values = values.clone()
        for name, side in bounds.items():
            values[loss.names.index(name)] = box[name][side == "upper"]
    names, fixed = _all_names(loss)
    # The linear map back to the raw input acts on fixed parameters too.
    everything, spread, best, slope = values, root, exact, gradient
    if fixed:
        places = torch.tensor([names.index(name) for name in loss.names])
        everything = torch.tensor([fixed.get(name, 0.0) for name in names], dtype=torch.float64)
        everything[places] = values
        spread = None if root is None else root.new_zeros(len(names), root.shape[1]).index_copy(0, places, root)
        best = None if exact is None else everything.index_copy(0, places, exact)
        if gradient is not None:
            slope = torch.zeros(len(names), dtype=torch.float64).index_copy(0, places, gradient)
    # Without a normalisation both are the same, and the truth belongs to both.
    same = all(pair == (0.0, 1.0) for pair in normalization)
    undo = None if same else _undo_normalization(loss, normalization)
    lost = {loss.names[k] for k in errors.undetermined}
    specs = loss.model.specifications if isinstance(loss.model, ParametricModel) else {}

    def estimates_at(
        at: Tensor,
        root_of_errors: Tensor | None,
        opt: Tensor | None,
        true: dict[str, float] | None,
        dl: Tensor | None,
        without: set[str],
        still: Collection[str] = fixed,
    ) -> dict[str, Estimate]:
        estimates = {}
        values_at, slopes_at = at.tolist(), None if dl is None else dl.tolist()
        errors_at = None if root_of_errors is None else lengths(root_of_errors.numpy().T).tolist()
        best_at = None if opt is None else opt.tolist()
        for k, name in enumerate(names):
            spec, free = specs.get(name, _NOTHING_SAID), name not in still
            value, error, interval = values_at[k] + 0.0, None, None  # minus zero is zero
            if errors_at is not None and free and name not in without:
                error = errors_at[k]
                interval = (value - errors.quantile * error, value + errors.quantile * error)
            estimates[name] = Estimate(
                estimate=value,
                standard_error=error,
                interval_95=interval,
                gradient=slopes_at[k] if slopes_at is not None and free else None,
                closed_form=best_at[k] if best_at is not None and free else None,
                truth=None if true is None else true.get(name),
                unit=spec.unit,
                fixed=not free,
                at_bound=bounds.get(name),
            )
        return estimates

    parameters = estimates_at(everything, spread, best, truth if same else None, slope, lost)
    original = None
    if same:
        original = {name: estimate.without_gradient() for name, estimate in parameters.items()}
    elif undo is not None:
        moved = None if spread is None else undo @ spread
        mixed = {names[k] for k in range(len(names)) if _touches(undo[k], names, lost)}
        # What was fixed on the normalised input moves with what it is mixed with.
        still = {name for name in fixed if not _touches(undo[names.index(name)], names, set(loss.names))}
        original = estimates_at(
            undo @ everything, moved, None if best is None else undo @ best, truth, None, mixed, still
        )
    return NaturalEstimates(parameters, original, root)


def _all_names(loss: LossFunction) -> tuple[list[str], dict[str, float]]:
    """The elements of all parameters in the model's order, and the values of those that are fixed."""
    specs = loss.model.specifications if isinstance(loss.model, ParametricModel) else {}
    fixed = {name: getattr(loss.model, name).item() for name, spec in specs.items() if spec.fixed}
    if not fixed:
        return list(loss.names), {}
    return [name for name, _ in loss.model.named_parameters() if name in fixed or name in loss.names], fixed


def _sides(loss: LossFunction, values: Tensor, at_bound: Sequence[int]) -> dict[str, str]:
    """Which of its bounds a parameter sits at."""
    sides: dict[str, str] = {}
    if not at_bound or not isinstance(loss.model, ParametricModel):
        return sides
    for k in at_bound:
        spec, value = loss.model.specifications[loss.names[k]], values[k].item()
        upper = spec.lower is None or (spec.upper is not None and spec.upper - value < value - spec.lower)
        sides[loss.names[k]] = "upper" if upper else "lower"
    return sides


def _touches(row: Tensor, names: Sequence[str], lost: set[str]) -> bool:
    return any(row[k] != 0 for k, name in enumerate(names) if name in lost)


def _undo_normalization(loss: LossFunction, normalization: Sequence[tuple[float, float]]) -> Tensor | None:
    if len(normalization) != 1 or not isinstance(loss.model, ParametricModel):
        return None
    return loss.model.original_units(*normalization[0])
