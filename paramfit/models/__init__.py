"""Models: parameters and inputs to a prediction."""

from paramfit.models.base import ParametricModel, match_columns
from paramfit.models.distribution import DistributionModel, free_arguments
from paramfit.models.formula import FormulaModel
from paramfit.models.function import FunctionModel
from paramfit.models.gaussian import GaussianModel
from paramfit.models.linear import LinearModel
from paramfit.models.polynomial import PolynomialModel

__all__ = [
    "DistributionModel",
    "FormulaModel",
    "FunctionModel",
    "GaussianModel",
    "LinearModel",
    "ParametricModel",
    "PolynomialModel",
    "free_arguments",
    "match_columns",
]
