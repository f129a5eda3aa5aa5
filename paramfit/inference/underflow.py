"""Whether digits that a formula has lost, since numbers inside it are too small for float64, show beside residuals."""

import math

import torch

from paramfit.facts import Fact, FactKind, Number
from paramfit.inference.loss_function import LossFunction
from paramfit.linalg.lapack import length
from paramfit.models import FormulaModel

__all__ = ["underflow"]

_MOST_ROWS = (
    10_000  # that are looked at, at equal distances: numbers are too small in many rows or in none that matters
)
_EPS = torch.finfo(torch.float64).eps


def underflow(loss: LossFunction, seen: float) -> Fact | None:
    """The operation of the model's formula that rounds a prediction by a part ``seen`` of a residual, or a derivative.

    The model's parameters are where they were when the loss was made.
    """
    model, observations = loss.model, loss.observations
    if not isinstance(model, FormulaModel):
        return None
    with torch.no_grad():
        residual = observations.target - loss.prediction(loss.theta)
    sigma = torch.ones_like(residual) if observations.sigma is None else observations.sigma
    # Of an exact fit the residuals are rounding themselves.
    target = length((observations.target / sigma).numpy())
    spread = max(length((residual / sigma).numpy()), _EPS * target) / math.sqrt(loss.n)
    chosen = slice(None, None, max(1, loss.n // _MOST_ROWS))
    lost = model.lost_digits((spread * sigma)[chosen], *(column[chosen] for column in observations.inputs))
    if lost is None or not lost.part > seen:
        return None
    about = () if lost.by is None else (lost.by,)
    numbers: dict[str, Number] = {
        "operation": lost.operation,
        "operands": ", ".join(lost.names),
        "smallest": lost.smallest,
        "part": lost.part,
    }
    return Fact(FactKind.UNDERFLOW_DECIDES, about, numbers, cure=Fact(FactKind.OTHER_UNITS))
