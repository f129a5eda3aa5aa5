"""A maximum of somebody else's log-likelihood, with errors by its curvature, and nothing of paramfit's."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from paramfit.fits.result import FitResult

Array = NDArray[np.float64]

# The five-point stencil: first and second derivative, exact for polynomials of degree 4.
_OFFSETS = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
_FIRST = np.array([1.0, -8.0, 0.0, 8.0, -1.0]) / 12
_SECOND = np.array([-1.0, 16.0, -30.0, 16.0, -1.0]) / 12
# Of a standard error. Rounding leaves 1e-13 of the sum, so 1e-11 of its slope and 1e-10 of its curvature.
_STEP = 0.05
_NEWTON_STEPS = 6  # from where Nelder-Mead ends two would do


class Truth(NamedTuple):
    """Where a log-likelihood is largest.

    Attributes:
        values: of the parameters, ``(p,)``.
        errors: by the observed information there, ``(p,)``.
        log_likelihood: how large it is.
    """

    values: Array
    errors: Array
    log_likelihood: float


def maximum(log_likelihood: Callable[..., float], start: Sequence[float]) -> Truth:
    """The maximum by Nelder-Mead and then Newton's method, with derivatives by differences of fourth order.

    Args:
        log_likelihood: of the p parameters, one argument each; minus infinity or NaN where it is not defined.
        start: ``(p,)``.
    """

    def loss(values: Array) -> float:
        with np.errstate(all="ignore"):
            actual = float(log_likelihood(*values))
        return -actual if np.isfinite(actual) else np.inf

    options = {"xatol": 1e-7, "fatol": 1e-10, "maxiter": 10_000, "maxfev": 10_000}
    values = np.asarray(optimize.minimize(loss, np.asarray(start), method="Nelder-Mead", options=options).x)
    size = np.full(len(values), 1e-3) * np.maximum(1.0, np.abs(values))
    for _ in range(_NEWTON_STEPS):
        slope, curvature = _derivatives(loss, values, _STEP * size)
        values = values - np.linalg.solve(curvature, slope)
        size = 1 / np.sqrt(np.diagonal(curvature))
    _, curvature = _derivatives(loss, values, _STEP * size)
    return Truth(values, np.sqrt(np.diagonal(np.linalg.inv(curvature))), -loss(values))


def _derivatives(loss: Callable[[Array], float], at: Array, step: Array) -> tuple[Array, Array]:
    """Gradient ``(p,)`` and Hessian ``(p, p)``, with differences of these sizes."""
    p = len(at)
    axes = np.diag(step)
    along = np.array([[loss(at + offset * axis) for offset in _OFFSETS] for axis in axes])
    hessian = np.diag(along @ _SECOND)
    for j in range(p):
        for k in range(j):
            square = np.array([[loss(at + a * axes[j] + b * axes[k]) for b in _OFFSETS] for a in _OFFSETS])
            hessian[j, k] = hessian[k, j] = _FIRST @ square @ _FIRST
    return along @ _FIRST / step, hessian / np.outer(step, step)


def estimates_of(result: FitResult) -> tuple[list[float], list[float]]:
    """Estimates and standard errors of a result's free parameters, in their order."""
    free = [estimate for estimate in result.parameters.values() if not estimate.fixed]
    errors = [estimate.standard_error for estimate in free]
    assert None not in errors, result.notes
    return [estimate.estimate for estimate in free], [error for error in errors if error is not None]
