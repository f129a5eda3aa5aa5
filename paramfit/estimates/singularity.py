"""Which parameters the observations cannot tell apart."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["InverseInformation", "inverse_information"]

_SINGULAR = 1e-13  # a direction this much weaker than the strongest is rounding
_INVOLVED = 1e-3  # a parameter with a smaller share in a direction has no part in it


@dataclass(frozen=True)
class InverseInformation:
    r"""``(R^T R)^-1`` where it exists.

    Attributes:
        root: F ``(p, r)`` with ``F F^T`` the inverse; rows of undetermined parameters are 0.
        undetermined: for each parameter that has no error, why; by its number.
        directions: what cannot be told apart, one sentence each.
    """

    root: Tensor
    undetermined: dict[int, str]
    directions: tuple[str, ...]


def inverse_information(factor: Tensor, names: Sequence[str]) -> InverseInformation:
    r"""Invert :math:`R^T R`, by directions where it is singular.

    The columns are first brought to equal length: the rank is then a matter of directions, not of units. A parameter
    that has a share in a direction which the observations do not determine has no error; all others have theirs.

    Args:
        factor: triangular factor R of the Jacobian, ``(p, p)``.
        names: what the parameters are called.

    References:
        Douglas Bates, Donald Watts: Nonlinear Regression Analysis and Its Applications (1988), section 3.
    """
    p = len(names)
    size = factor.norm(dim=0)
    still = (~(size > 0)).nonzero().flatten().tolist()
    undetermined = {k: f"{names[k]} does not change the prediction at the estimate" for k in still}
    directions = list(undetermined.values())
    moving = [k for k in range(p) if k not in undetermined]
    root = torch.zeros(p, len(moving), dtype=factor.dtype)
    if not moving:
        return InverseInformation(root, undetermined, tuple(directions))
    scaled = factor[:, moving] / size[moving]
    _, singular, vectors = torch.linalg.svd(scaled, full_matrices=False)
    weak = singular <= _SINGULAR * singular[0]
    for vector in vectors[weak]:
        shares = vector / size[moving]  # in the parameters' own units
        involved = [k for k in range(len(moving)) if abs(vector[k].item()) > _INVOLVED * vector.abs().max().item()]
        text = _direction([names[moving[k]] for k in involved], vector[involved].tolist(), shares[involved].tolist())
        directions.append(text)
        undetermined.update({moving[k]: text for k in involved if moving[k] not in undetermined})
    if bool(weak.any()):
        inverse = vectors[~weak].T / singular[~weak]
    else:
        upper = scaled if len(moving) == p else torch.linalg.qr(scaled, mode="r").R
        inverse = torch.linalg.solve_triangular(upper, torch.eye(len(moving), dtype=factor.dtype), upper=True)
    root = root[:, : inverse.shape[1]]
    root[moving] = inverse / size[moving].unsqueeze(1)
    root[list(undetermined)] = 0.0
    return InverseInformation(root, undetermined, tuple(directions))


def _direction(names: Sequence[str], scaled: Sequence[float], shares: Sequence[float]) -> str:
    if len(names) == 1:
        return f"{names[0]} does not change the prediction at the estimate"
    if len(names) == 2:
        sign = -1.0 if scaled[0] * scaled[1] < 0 else 1.0
        return f"{names[0]} and {names[1]} cannot be told apart: correlation {_signed(sign)}"
    largest = max(map(abs, shares))
    moves = " ".join(f"{share / largest:+.3g} {name}" for name, share in zip(names, shares, strict=True))
    listed = f"{', '.join(names[:-1])} and {names[-1]}"
    return f"{listed} cannot be told apart: moving them together by {moves} changes no prediction"


def _signed(correlation: float) -> str:
    text = f"{abs(correlation):.5f}"
    return text if math.copysign(1.0, correlation) > 0 else f"−{text}"
