"""Whether input columns stand in the order of a model's variables."""

from collections.abc import Sequence

from torch import nn

from paramfit.errors import InputError
from paramfit.models.distribution import DistributionModel
from paramfit.models.formula import FormulaModel
from paramfit.models.function import FunctionModel

__all__ = ["check_input_order"]


def check_input_order(model: nn.Module, inputs: Sequence[str]) -> None:
    """Refuse input columns that have the variables' names, but another order: they are matched by position.

    Args:
        model: one with named variables; of any other nothing is known.
        inputs: names of the input columns, in their order.

    Raises:
        InputError: naming both orders.

    Example:
        >>> check_input_order(FormulaModel("a * c / t", ["c", "t"], {"a": 1.0}), ["t", "c"])
        Traceback (most recent call last):
        paramfit.errors.InputError: inputs: the columns are t, c, but the model's variables are c, t, and the first ...
    """
    if not isinstance(model, FormulaModel | FunctionModel | DistributionModel):
        return
    variables = tuple(model.variables)
    if tuple(inputs) != variables and sorted(inputs) == sorted(variables):
        msg = (
            f"inputs: the columns are {', '.join(inputs)}, but the model's variables are {', '.join(variables)}, and"
            f" the first column is taken for the first variable; give inputs as [{', '.join(variables)}]"
        )
        raise InputError(msg)
