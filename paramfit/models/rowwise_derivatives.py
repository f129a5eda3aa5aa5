"""Derivatives of predictions whose rows do not mix, by one walk backwards for all rows."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

__all__ = ["RowwiseDerivatives"]

_AGREE = 1e-9  # of the terms that are added: two ways to compute the same number
_SEED = 0
_ASIDE = (1e-3, -1e-3, 1e-6, -1e-6)  # of a parameter's size: beside its value no product vanishes as it may there

Predict = Callable[[Sequence[Tensor]], Tensor]


class RowwiseDerivatives:
    r"""The Jacobian of n predictions by p numbers, of which every row gets copies of its own.

    .. math:: J_{ik} = \frac{\partial}{\partial \theta_{ik}} \sum_j f_j(\theta_{j1}, \dots, \theta_{jp})

    which takes one backward pass, whatever p is, in place of p forward passes. It is right where the prediction of a
    row depends on the copies of that row alone. Whether it does is tried once for each number of rows, at a point
    beside the first one, by the derivative of a weighted sum of predictions by the numbers themselves.
    """

    def __init__(self) -> None:
        self._is_rowwise: dict[int, bool] = {}

    def __call__(self, predict: Predict, values: Sequence[Tensor], rows: int) -> tuple[Tensor, list[Tensor]] | None:
        """Prediction ``(n,)`` and its derivative by each number, ``(n,)``.

        Args:
            predict: from the numbers, or from a row ``(n,)`` for each, to the prediction.
            values: float64, without dimensions.
            rows: n.

        Returns:
            None where rows mix, where the prediction takes no copies or does without one of the numbers, and where a
            result is not finite, which forward mode may be all the same.
        """
        if self._is_rowwise.get(rows) is False or any(value.ndim or value.dtype != torch.float64 for value in values):
            return None
        try:
            with torch.inference_mode(False), torch.enable_grad():
                if rows not in self._is_rowwise:
                    self._is_rowwise[rows] = _are_separate(predict, values, rows)
                return _backwards(predict, values, rows) if self._is_rowwise[rows] else None
        except Exception:  # whatever a function raises that was not made for these shapes
            self._is_rowwise[rows] = False
            return None


def _backwards(predict: Predict, values: Sequence[Tensor], rows: int) -> tuple[Tensor, list[Tensor]] | None:
    copies = [value.detach().expand(rows).requires_grad_() for value in values]
    prediction = predict(copies)
    if prediction.shape != (rows,) or prediction.dtype != torch.float64 or not prediction.requires_grad:
        return None
    columns = torch.autograd.grad(prediction, copies, torch.ones_like(prediction), allow_unused=True)
    if any(column is None for column in columns):
        return None
    detached = prediction.detach()
    if not math.isfinite(sum([column.sum().item() for column in (detached, *columns)])):
        return None
    return detached, list(columns)


def _are_separate(predict: Predict, values: Sequence[Tensor], rows: int) -> bool:
    r"""Whether the columns are the derivative of :math:`\sum_i w_i f_i` by the numbers themselves, w being any."""
    for aside in _ASIDE:
        # No two numbers are changed by the same.
        points = [
            value.detach() + aside * max(abs(value.item()), 1.0) * (1 + k / (k + 2)) for k, value in enumerate(values)
        ]
        result = _backwards(predict, points, rows)
        if result is None:
            continue
        prediction, columns = result
        weight = torch.randn(rows, dtype=torch.float64, generator=torch.Generator().manual_seed(_SEED))
        for point in points:
            point.requires_grad_()
        singly = predict(points)
        if singly.shape != (rows,):
            return False
        whole = torch.autograd.grad(singly, points, weight.to(singly))
        parts = torch.stack(columns) * weight.to(singly)
        off = (parts.sum(1) - torch.stack(whole)).abs() <= _AGREE * parts.abs().sum(1)
        same = (prediction - singly.detach()).abs() <= _AGREE * prediction.abs()
        return bool(off.all()) and bool(same.all())
    return False
