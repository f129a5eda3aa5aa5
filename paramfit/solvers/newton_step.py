"""One step of Newton's method, for any damping."""

import math

import numpy as np

from paramfit.linalg.box import least_squares_in_box
from paramfit.linalg.lapack import Array
from paramfit.linalg.unit_free import THRESHOLDS, ScaledCurvature

__all__ = ["NewtonStep"]

_DOWNWARD = 1e-9  # of the largest curvature: a direction curved down so much is no rounding
_HALVINGS = 12  # of a logarithm, from which a damping is known well enough


class NewtonStep:
    r"""Steps from one point, for any damping.

    .. math:: \delta = -S^{-1} (|\tilde H| + \lambda)^{-1} S^{-1} g, \qquad \tilde H = S^{-1} H S^{-1}

    with g ``(p,)`` the gradient and H ``(p, p)`` the curvature of the summed negative log-likelihood, and S the roots
    of H's diagonal, so that the step does not depend on the parameters' units. Where H is not positive definite its
    eigenvalues are taken by their size: the step then leads downhill all the same. One eigenvalue decomposition serves
    all lambdas. S is no smaller than ``least``: a parameter that has lost its influence must not run away.

    References:
        Philip Gill, Walter Murray, Margaret Wright: Practical Optimization (1981), section 4.4.
    """

    def __init__(self, gradient: Array, curvature: Array, least: Array | None = None) -> None:
        scaled = ScaledCurvature.of(curvature, least)
        self._size, self._values, self._directions = scaled.size, scaled.values, scaled.vectors
        self._along = self._directions.T @ (gradient / self._size)
        self._strongest = scaled.strongest

    @property
    def distance(self) -> float:
        r"""How far the minimum is in standard errors, :math:`\sqrt{g^T H^{-1} g}`.

        Infinite where H is not positive definite, unless there is no slope at all along what is flat: a saddle has
        none either, but curves down.
        """
        if self._values[0] < -_DOWNWARD * self._strongest:
            return math.inf
        flat = self._values <= THRESHOLDS.rank * self._strongest
        if (np.abs(self._along[flat]) > 1e-9 * (1 + np.abs(self._along).max(initial=0.0))).any():
            return math.inf
        kept = ~flat
        return math.sqrt(float((np.square(self._along[kept]) / self._values[kept]).sum()))

    @property
    def errors(self) -> Array:
        r"""Standard errors ``(p,)``, :math:`\sqrt{(|H|^{-1})_{kk}}`: of one parameter, where no other is known.

        What is flat to rounding makes them large, but finite.
        """
        least = max(THRESHOLDS.rank * self._strongest, np.finfo(np.float64).tiny)
        variances = np.square(self._directions) / np.maximum(np.abs(self._values), least)
        errors: Array = np.sqrt(variances.sum(axis=1)) / self._size
        return errors

    def step(self, damping: float, share: float = 1.0) -> tuple[Array, float]:
        """A share of the step ``(p,)``, and the decrease of the loss that the quadratic model promises for it."""
        moved = share * self._moved(damping)
        promised = -float((self._along * moved + 0.5 * np.abs(self._values) * np.square(moved)).sum())
        return (self._directions @ moved) / self._size, promised

    def step_in_box(self, damping: float, lower: Array, upper: Array, share: float = 1.0) -> tuple[Array, float]:
        r"""The share of the step that is best with :math:`l \le \delta \le u`, and the decrease that is promised."""
        step, promised = self.step(damping, share)
        if ((lower <= step) & (step <= upper)).all():
            return step, promised
        roots = np.sqrt(self._damped(damping) / share)
        low, high = lower * self._size, upper * self._size
        scaled = least_squares_in_box(roots[:, None] * self._directions.T, -self._along / roots, low, high)
        step = np.where(scaled <= low, lower, np.where(scaled >= high, upper, scaled / self._size))
        moved = self._directions.T @ (step * self._size)
        return step, -float((self._along * moved + 0.5 * np.abs(self._values) * np.square(moved)).sum())

    def _moved(self, damping: float) -> Array:
        """The step along each eigenvector, in units of S."""
        return -self._along / self._damped(damping)

    def _damped(self, damping: float) -> Array:
        """The size of each eigenvalue with the damping."""
        most = self._strongest if self._strongest > 0 else 1.0
        damped: Array = np.maximum(np.abs(self._values), THRESHOLDS.rank * most) + damping * most
        return damped

    def shortening(self, damping: float, share: float) -> float:
        """The damping whose step is a share as long as that of another damping, in units of S."""
        wanted = share * np.linalg.norm(self._moved(damping))
        shortest, longest = (1 + damping) / share, damping  # an eigenvalue is at most the strongest
        for _ in range(_HALVINGS):
            middle = math.sqrt(shortest * longest)
            if np.linalg.norm(self._moved(middle)) > wanted:
                longest = middle
            else:
                shortest = middle
        return shortest
