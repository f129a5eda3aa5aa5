"""Objectives: prediction and target to one loss."""

from paramfit.objectives.absolute_error import AbsoluteError
from paramfit.objectives.base import Objective
from paramfit.objectives.negative_log_likelihood import NegativeLogLikelihood
from paramfit.objectives.robust import CauchyError, HuberError, RobustError, SoftL1Error
from paramfit.objectives.squared_error import SquaredError

__all__ = [
    "AbsoluteError",
    "CauchyError",
    "HuberError",
    "NegativeLogLikelihood",
    "Objective",
    "RobustError",
    "SoftL1Error",
    "SquaredError",
]
