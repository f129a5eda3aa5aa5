"""Tasks: LightningModules that join model, objective and the way updates are made."""

from paramfit.tasks.automatic import AutomaticTask, Regression
from paramfit.tasks.base import EstimationTask
from paramfit.tasks.hand_written import HandWrittenDescent
from paramfit.tasks.least_squares import LeastSquares
from paramfit.tasks.lessons import GaussianLocation, ThermometerRegression
from paramfit.tasks.likelihood import MaximumLikelihood
from paramfit.tasks.trial import try_model
from paramfit.tasks.updates import UpdateLog

__all__ = [
    "AutomaticTask",
    "EstimationTask",
    "GaussianLocation",
    "HandWrittenDescent",
    "LeastSquares",
    "MaximumLikelihood",
    "Regression",
    "ThermometerRegression",
    "UpdateLog",
    "try_model",
]
