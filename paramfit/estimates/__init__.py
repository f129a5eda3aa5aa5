"""Results: pure functions and dataclasses."""

from paramfit.estimates.bands import Bands, FittedCurve
from paramfit.estimates.closed_form import closed_form
from paramfit.estimates.comparison import Comparison
from paramfit.estimates.convergence import distance_to_optimum, updates_to_converge
from paramfit.estimates.covariance import uncertainty
from paramfit.estimates.divergence import divergence_cure
from paramfit.estimates.ladder import Ladder, Rung
from paramfit.estimates.least_squares_summary import summarise_least_squares
from paramfit.estimates.likelihood_summary import summarise_likelihood
from paramfit.estimates.loss_function import LossFunction
from paramfit.estimates.report import fit_report, print_report
from paramfit.estimates.result import Estimate, FitResult
from paramfit.estimates.stability import stability
from paramfit.estimates.summary import summarise
from paramfit.estimates.verdict import CurvePoint, Verdict, fit_verdict

__all__ = [
    "Bands",
    "Comparison",
    "CurvePoint",
    "Estimate",
    "FitResult",
    "FittedCurve",
    "Ladder",
    "LossFunction",
    "Rung",
    "Verdict",
    "closed_form",
    "distance_to_optimum",
    "divergence_cure",
    "fit_report",
    "fit_verdict",
    "print_report",
    "stability",
    "summarise",
    "summarise_least_squares",
    "summarise_likelihood",
    "uncertainty",
    "updates_to_converge",
]
