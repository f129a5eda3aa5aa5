"""Univariate distributions: what their arguments may be, their derivatives, supports, starts and tails."""

from paramfit.distributions.arguments import argument_bounds, is_integer, named_arguments
from paramfit.distributions.censoring import (
    Censoring,
    censored_log_prob,
    censored_score,
    check_censoring,
    check_statuses,
    stand_ins,
)
from paramfit.distributions.check import check_observations
from paramfit.distributions.curvature import curvature
from paramfit.distributions.information import expected_information
from paramfit.distributions.kink import kinked_argument, majorised_curvature, majorised_log_prob
from paramfit.distributions.log_density import log_density
from paramfit.distributions.moments import moment_start
from paramfit.distributions.sample_sums import SampleSums, sample_sums
from paramfit.distributions.score import score
from paramfit.distributions.support import check_support

__all__ = [
    "Censoring",
    "SampleSums",
    "argument_bounds",
    "censored_log_prob",
    "censored_score",
    "check_censoring",
    "check_observations",
    "check_statuses",
    "check_support",
    "curvature",
    "expected_information",
    "is_integer",
    "kinked_argument",
    "log_density",
    "majorised_curvature",
    "majorised_log_prob",
    "moment_start",
    "named_arguments",
    "sample_sums",
    "score",
    "stand_ins",
]
