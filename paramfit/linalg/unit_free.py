"""Which parameters the observations cannot tell apart."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from paramfit.facts import Fact, FactKind
from paramfit.linalg.lapack import Array, lengths, singular_decomposition, solve_upper, triangle

__all__ = ["InverseInformation", "inverse_information"]

_SINGULAR = 1e-13  # a direction this much weaker than the strongest is rounding
_INVOLVED = 1e-3  # a parameter with a smaller share in a direction has no part in it


@dataclass(frozen=True)
class InverseInformation:
    r"""``(R^T R)^-1`` where it exists.

    Attributes:
        root: F ``(p, r)`` with ``F F^T`` the inverse; rows of undetermined parameters are 0.
        undetermined: for each parameter that has no error, why; by its number.
        directions: what cannot be told apart.
    """

    root: Array
    undetermined: dict[int, Fact]
    directions: tuple[Fact, ...]


def inverse_information(factor: Array, names: Sequence[str], least: Array | float = 0.0) -> InverseInformation:
    r"""Invert :math:`R^T R`, by directions where it is singular.

    The columns are first brought to equal length: the rank is then a matter of directions, not of units. A parameter
    that has a share in a direction which the observations do not determine has no error; all others have theirs.

    Args:
        factor: triangular factor R of the Jacobian, ``(p, p)``.
        names: what the parameters are called.
        least: length up to which a column is nothing but rounding, ``(p,)`` or one for all.

    References:
        Douglas Bates, Donald Watts: Nonlinear Regression Analysis and Its Applications (1988), section 3.
    """
    p = len(names)
    sizes = lengths(factor)
    moves = sizes > least
    moving = np.flatnonzero(moves)
    if len(moving) == 0:
        still = {k: _idle(names[k]) for k in range(p)}
        return InverseInformation(np.zeros((p, 0)), still, tuple(still.values()))
    undetermined = {k: _idle(names[k]) for k in range(p) if not moves[k]}
    directions = list(undetermined.values())
    size = sizes[moving]
    scaled = factor[:, moving] / size
    _, singular, vectors = singular_decomposition(scaled)
    weak = singular <= _SINGULAR * singular[0]
    if weak.any():
        for vector in vectors[weak]:
            involved = np.flatnonzero(np.abs(vector) > _INVOLVED * np.abs(vector).max())
            weakest = _direction([names[moving[k]] for k in involved], (vector / size)[involved])
            directions.append(weakest)
            undetermined.update({int(moving[k]): weakest for k in involved if int(moving[k]) not in undetermined})
        inverse = vectors[~weak].T / singular[~weak]
    else:
        upper = scaled if len(moving) == p else triangle(scaled)
        inverse = solve_upper(upper, np.eye(len(moving)))
    root = np.zeros((p, inverse.shape[1]))
    root[moving] = inverse / size[:, None]
    root[list(undetermined)] = 0.0
    return InverseInformation(root, undetermined, tuple(directions))


def _idle(name: str) -> Fact:
    return Fact(FactKind.IDLE, (name,))


def _direction(names: Sequence[str], shares: Array) -> Fact:
    """What moves together without a change of any prediction, and by how much of each, the largest being 1."""
    if len(names) == 1:
        return _idle(names[0])
    return Fact(FactKind.INSEPARABLE, tuple(names), {"shares": tuple((shares / np.abs(shares).max()).tolist())})
