"""What is true of a fit, as data: how it ended, and kinds of facts with the parameters and numbers they are about."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TypeAlias

__all__ = [
    "WITHOUT_MAXIMUM",
    "Fact",
    "FactKind",
    "Number",
    "Reason",
    "Status",
    "Stop",
    "with_cure",
    "without_repetition",
]


class FactKind(StrEnum):
    """The kinds of facts; the values are the names in ``estimates.json``."""

    # How a descent or a Trainer ended.
    CLOSE_TO_OPTIMUM = "close_to_optimum"
    ALL_UPDATES_MADE = "all_updates_made"
    TRAINER_STOPPED = "trainer_stopped"
    NOT_FINITE_AT_END = "not_finite_at_end"
    NO_IMPROVEMENT = "no_improvement"
    CTRL_C = "ctrl_c"
    SIGTERM = "sigterm"
    LOSS_NOT_FINITE = "loss_not_finite"
    GRADIENT_NOT_FINITE = "gradient_not_finite"
    PARAMETER_NOT_FINITE = "parameter_not_finite"
    LOSS_GREW = "loss_grew"
    FROZEN = "frozen"
    OUTSIDE_DOMAIN = "outside_domain"
    LEFT_DOMAIN = "left_domain"
    HELD_OUT_OUTSIDE = "held_out_outside"

    # How a solver ended.
    ITERATIONS_USED_UP = "iterations_used_up"
    RELATIVE_OFFSET_LEFT = "relative_offset_left"
    RELATIVE_OFFSET_SMALL = "relative_offset_small"
    RELATIVE_OFFSET_AT_ROUNDING = "relative_offset_at_rounding"
    DISTANCE_LEFT = "distance_left"
    ON_RIDGE = "on_ridge"
    DISTANCE_SMALL = "distance_small"
    DISTANCE_AT_ROUNDING = "distance_at_rounding"
    KINK_OF_LOSS = "kink_of_loss"
    SINGULAR_AT_OPTIMUM = "singular_at_optimum"
    STEP_SMALL = "step_small"
    SOLVED_EXACTLY = "solved_exactly"
    EXACT_FIT = "exact_fit"
    NO_DESCENT_BY_OFFSET = "no_descent_by_offset"
    NO_DESCENT_BY_DISTANCE = "no_descent_by_distance"
    NO_MINIMUM = "no_minimum"
    WITHOUT_INFLUENCE = "without_influence"
    NOTHING_DETERMINED = "nothing_determined"
    RUN_OFF = "run_off"
    ON_EDGE_OF_DOMAIN = "on_edge_of_domain"
    ENDED_AT_FORMULAS_EDGE = "ended_at_formulas_edge"
    ENDLESS_AT_EDGE = "endless_at_edge"
    LIKELIHOOD_WITHOUT_MAXIMUM = "likelihood_without_maximum"
    SEPARATED = "separated"
    GROUP_WITHOUT_MAXIMUM = "group_without_maximum"
    LIKELIHOOD_WITHOUT_BOUND = "likelihood_without_bound"
    PREFERS_LIMIT = "prefers_limit"

    # Why an error, a distance or a forecast is missing.
    DIVERGED = "diverged"
    PENALISED = "penalised"
    NO_CURVATURE = "no_curvature"
    ESTIMATES_NOT_FINITE = "estimates_not_finite"
    NOT_DIFFERENTIABLE = "not_differentiable"
    JACOBIAN_NOT_FINITE = "jacobian_not_finite"
    HESSIAN_NOT_FINITE = "hessian_not_finite"
    TOO_FEW_OBSERVATIONS = "too_few_observations"
    NO_INFORMATION_AT_KINK = "no_information_at_kink"
    NOT_A_MAXIMUM = "not_a_maximum"
    NOT_CURVED_UPWARDS = "not_curved_upwards"
    NOT_POSITIVE_DEFINITE = "not_positive_definite"
    HESSIAN_INDEFINITE = "hessian_indefinite"
    ALL_AT_BOUND = "all_at_bound"
    RESIDUALS_ZERO = "residuals_zero"
    NOT_ON_AN_EDGE = "not_on_an_edge"
    NO_CLOSED_FORM = "no_closed_form"
    NOT_AT_MAXIMUM = "not_at_maximum"
    BENDS_NOWHERE = "bends_nowhere"
    NO_RESAMPLES_AT_KINK = "no_resamples_at_kink"
    REFUSED = "refused"
    NOT_FORESEEABLE = "not_foreseeable"
    RATE_NOT_STABLE = "rate_not_stable"
    MORE_UPDATES_THAN = "more_updates_than"
    SOLVED_NOT_DESCENDED = "solved_not_descended"
    NORMALISATION_STAYS = "normalisation_stays"
    NOT_EXAMINED = "not_examined"
    NO_LEARNING_RATE = "no_learning_rate"
    NO_FIXED_LIMIT = "no_fixed_limit"
    NO_UPWARD_CURVATURE = "no_upward_curvature"
    NO_GRADIENT_LEFT = "no_gradient_left"
    TOO_MANY_PARAMETERS = "too_many_parameters"

    # What the observations do not determine.
    IDLE = "idle"
    FLAT_LIKELIHOOD = "flat_likelihood"
    INSEPARABLE = "inseparable"
    SITS_AT_BOUND = "sits_at_bound"
    GROWS_WITHOUT_END = "grows_without_end"
    HELD_BY_EDGE = "held_by_edge"

    # What errors and intervals rest on.
    NO_METHOD = "no_method"
    STUDENT_T = "student_t"
    KNOWN_SIGMA = "known_sigma"
    HUBER = "huber"
    OBSERVED_INFORMATION = "observed_information"
    EXPECTED_INFORMATION = "expected_information"
    INVERSE_HESSIAN = "inverse_hessian"
    HESSIAN_OF_RSS = "hessian_of_rss"
    FISHER_INFORMATION = "fisher_information"
    HETEROSCEDASTICITY_CONSISTENT = "heteroscedasticity_consistent"
    OUTER_PRODUCTS_OF_SCORES = "outer_products_of_scores"
    PROFILE_LIKELIHOOD = "profile_likelihood"
    PROFILE_RSS = "profile_rss"
    PERCENTILES = "percentiles"
    BCA_QUANTILES = "bca_quantiles"
    NO_RESAMPLES = "no_resamples"

    # What the curves of the two losses say.
    TOO_FEW_POINTS = "too_few_points"
    VALIDATION_ROSE = "validation_rose"
    TRAINING_HARDLY_FELL = "training_hardly_fell"
    BOTH_STILL_FALLING = "both_still_falling"
    NEITHER_MOVED = "neither_moved"

    # What to be careful about.
    AT_BOUND = "at_bound"
    FORMULA_AT_EDGE = "formula_at_edge"
    ARGUMENT_AT_EDGE = "argument_at_edge"
    INTERVAL_OVER_BOUND = "interval_over_bound"
    STARTS_MOVED_APART = "starts_moved_apart"
    STRONG_CORRELATION = "strong_correlation"
    MORE_STRONG_CORRELATIONS = "more_strong_correlations"
    RESIDUALS_ABOVE_SIGMA = "residuals_above_sigma"
    RESIDUALS_BELOW_SIGMA = "residuals_below_sigma"
    WORSE_THAN_CONSTANT = "worse_than_constant"
    ROUNDING_DECIDES = "rounding_decides"
    UNDERFLOW_DECIDES = "underflow_decides"
    OBSERVATIONS_ROUNDED = "observations_rounded"
    BETTER_MINIMUM = "better_minimum"
    SYSTEMATIC_RESIDUALS = "systematic_residuals"
    AS_MANY_PARAMETERS = "as_many_parameters"

    # What the ladder adds.
    HELD_AT_BOUND = "held_at_bound"
    NOT_CONVERGED = "not_converged"
    OPEN_INTERVAL = "open_interval"
    ENDS_APART = "ends_apart"
    RESAMPLES_NOT_TELLING = "resamples_not_telling"
    RESAMPLES_FAILED = "resamples_failed"
    NO_END_BEFORE_BOUND = "no_end_before_bound"
    NO_END_WHERE_FLAT = "no_end_where_flat"
    END_NOT_REACHED = "end_not_reached"
    LARGER_LIKELIHOOD_FARTHER = "larger_likelihood_farther"
    OF_THE_BOOTSTRAP = "of_the_bootstrap"

    # What a comparison has to say of fits, and why a test of nested models is missing.
    RUN_NOT_CONVERGED = "run_not_converged"
    RUN_AT_BOUND = "run_at_bound"
    OTHER_INPUTS = "other_inputs"
    ERRORS_OF_OTHER_KINDS = "errors_of_other_kinds"
    NOT_NESTED = "not_nested"
    NO_FREEDOM_LEFT = "no_freedom_left"
    LARGER_FITS_WORSE = "larger_fits_worse"
    CONSERVATIVE_AT_BOUND = "conservative_at_bound"
    UNDETERMINED_UNDER_SMALLER = "undetermined_under_smaller"

    # What cures it, or what it means.
    RATE_BELOW = "rate_below"
    SMALLER_RATE_OR_START = "smaller_rate_or_start"
    SCALE_INPUT = "scale_input"
    HALF_OF_LIMIT = "half_of_limit"
    MODEL_CURVES = "model_curves"
    SAMPLE_NOT_TYPICAL = "sample_not_typical"
    ERROR_MODEL_WRONG = "error_model_wrong"
    PARABOLA_POOR = "parabola_poor"
    SAMPLES_SCATTER_OTHERWISE = "samples_scatter_otherwise"
    ONE_OF_THEM_HOLDS = "one_of_them_holds"
    OTHERS_NOT_ALIKE = "others_not_alike"
    NO_ERROR_HOLDS = "no_error_holds"
    SADDLE = "saddle"
    OTHER_STARTS = "other_starts"
    FIX_ONE = "fix_one"
    ADD_CONSTANT = "add_constant"
    LOOK_AND_RESTART = "look_and_restart"
    SUBTRACT_FROM_INPUT = "subtract_from_input"
    OTHER_UNITS = "other_units"
    START_NEARER = "start_nearer"
    MODEL_OR_START = "model_or_start"
    CENTRE_OR_MEASURE_ELSEWHERE = "centre_or_measure_elsewhere"
    FORMULA_THAT_STAYS_INSIDE = "formula_that_stays_inside"
    FIX_OR_RESTART = "fix_or_restart"
    START_ACROSS_OR_FIX = "start_across_or_fix"


WITHOUT_MAXIMUM = frozenset(
    {
        FactKind.LIKELIHOOD_WITHOUT_MAXIMUM,
        FactKind.SEPARATED,
        FactKind.GROUP_WITHOUT_MAXIMUM,
        FactKind.LIKELIHOOD_WITHOUT_BOUND,
        FactKind.ENDLESS_AT_EDGE,
        FactKind.PREFERS_LIMIT,
    }
)
"""The ends at which there is no maximum, so that no criterion and no error of what has run off means anything."""

Number: TypeAlias = float | int | str | bool | tuple[float, ...] | None
"""What a fact says of its parameters: numbers, or the name of a class, a column or a file."""


@dataclass(frozen=True)
class Fact:
    """One thing that is true of a fit. Words are made of it by ``paramfit.shown.words.sentence``.

    Attributes:
        kind: what it is.
        parameters: which parameters it is about.
        numbers: what goes with it, by name.
        cause: the fact that it follows from.
        cure: what to do about it.

    Example:
        >>> Fact(FactKind.RUN_OFF, ("rate",), {"start": 1.0, "value": 1e9}).kind
        <FactKind.RUN_OFF: 'run_off'>
    """

    kind: FactKind
    parameters: tuple[str, ...] = ()
    numbers: Mapping[str, Number] = field(default_factory=dict)
    cause: "Reason | None" = None
    cure: "Fact | None" = None

    def __hash__(self) -> int:
        """By what it is about; the numbers tell equal from unequal."""
        return hash((self.kind, self.parameters))


Reason: TypeAlias = Fact | str
"""A fact; or the words that someone else's callback or task gave, which are shown and never read."""


def without_repetition(facts: "tuple[Fact, ...] | list[Fact]") -> tuple[Fact, ...]:
    """Each fact once, in the order in which they came."""
    return tuple(dict.fromkeys(facts))


def with_cure(fact: Reason, kind: FactKind) -> Reason:
    """The fact with what to do about it, or what it means."""
    return fact if isinstance(fact, str) else replace(fact, cure=Fact(kind))


class Status(StrEnum):
    """How a fit ended. The values are the names in ``estimates.json``."""

    CONVERGED = "converged"  # less than 0.01 standard errors from the optimum
    STALLED = "stalled"  # the solver could make no further progress
    STOPPED_EARLY = "stopped_early"  # the monitored metric no longer improved
    LIMIT_REACHED = "limit_reached"  # all updates asked for were made
    DIVERGED = "diverged"  # the loss, a gradient or a parameter left the finite numbers, grew, or froze far away
    INTERRUPTED = "interrupted"  # Ctrl-C
    TERMINATED = "terminated"  # SIGTERM


@dataclass(frozen=True)
class Stop:
    """Why a fit ended before its last update: a status, and the fact behind it (or words of one's own)."""

    status: Status
    reason: Reason
