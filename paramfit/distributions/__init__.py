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
from paramfit.distributions.density import density_at, log_density
from paramfit.distributions.derivatives import (
    curvature,
    expected_information,
    kinked_argument,
    majorised_curvature,
    majorised_log_prob,
    sample_sums,
    score,
)
from paramfit.distributions.family import SampleSums
from paramfit.distributions.start import moment_start
from paramfit.distributions.support import check_observations, check_support, support_of

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
    "density_at",
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
    "support_of",
]
