"""Gradient rules: how the derivative of the loss is obtained; and the sums that solvers are made of."""

from paramfit.gradients.analytic import AnalyticGradient
from paramfit.gradients.autograd import AutogradGradient
from paramfit.gradients.base import GradientRule
from paramfit.gradients.likelihood_terms import LikelihoodTerms
from paramfit.gradients.numerical import NumericalGradient
from paramfit.gradients.residual_rows import ResidualRows

__all__ = [
    "AnalyticGradient",
    "AutogradGradient",
    "GradientRule",
    "LikelihoodTerms",
    "NumericalGradient",
    "ResidualRows",
]
