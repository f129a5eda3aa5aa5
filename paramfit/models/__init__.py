"""Models: parameters and inputs to a prediction."""

from paramfit.models.base import ParametricModel
from paramfit.models.gaussian import GaussianModel
from paramfit.models.linear import LinearModel
from paramfit.models.polynomial import PolynomialModel

__all__ = ["GaussianModel", "LinearModel", "ParametricModel", "PolynomialModel"]
