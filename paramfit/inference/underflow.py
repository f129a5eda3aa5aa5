"""Whether digits that a formula has lost, since numbers inside it are too small for float64, show beside residuals."""

import numpy as np
import torch
from torch import Tensor

from paramfit.facts import Fact, FactKind, Number
from paramfit.formulas.underflow import is_moderate
from paramfit.inference.loss_function import LossFunction
from paramfit.models import FormulaModel
from paramfit.observations import Observations

__all__ = ["lost_to_underflow"]

_MOST_ROWS = 10_000  # that are looked at, at equal distances: in many numbers are too small, or in none that matters
_EPS = torch.finfo(torch.float64).eps


def lost_to_underflow(loss: LossFunction, spread: float, least: float) -> Fact | None:
    """The operation of the model's formula that rounds a prediction by a part ``least`` of a residual, or a derivative.

    The model's parameters are where they were when the loss was made, and residuals, over sigma, of size ``spread``.
    """
    model, observations = loss.model, loss.observations
    if not isinstance(model, FormulaModel):
        return None
    if loss.n > _MOST_ROWS:
        observations = observations.rows(slice(None, None, -(-loss.n // _MOST_ROWS)))
    if not model.magnifies_underflow and _are_moderate(loss.theta, model, observations):
        return None
    target = observations.target
    sigma = torch.ones_like(target) if observations.sigma is None else observations.sigma
    # Of an exact fit the residuals are rounding themselves.
    spread = max(spread, _EPS * float((target / sigma).abs().max()))
    lost = model.lost_digits(spread * sigma, *observations.inputs)
    if lost is None or not lost.part > least:
        return None
    about = () if lost.by is None else (lost.by,)
    numbers: dict[str, Number] = {
        "operation": lost.operation,
        "operands": ", ".join(lost.names),
        "smallest": lost.smallest,
        "part": lost.part,
    }
    return Fact(FactKind.UNDERFLOW_DECIDES, about, numbers, cure=Fact(FactKind.OTHER_UNITS))


def _are_moderate(theta: Tensor, model: FormulaModel, observations: Observations) -> bool:
    """Whether no number could make much of what has vanished."""
    constants = [spec.start or 0.0 for spec in model.specifications.values() if spec.fixed]
    numbers = np.append(theta.numpy(), constants) if constants else theta.numpy()
    columns = map(Tensor.numpy, (*observations.inputs, observations.target))
    return is_moderate(numbers) and all(map(is_moderate, columns))
