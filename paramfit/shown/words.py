"""The words for every kind of fact: here they are made, and nothing ever reads them."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from paramfit.facts import Fact, FactKind, Reason
from paramfit.shown.digits import value_as_with_error

__all__ = ["WORDS", "opening", "sentence", "sentences"]

_K = FactKind

_MOST_NAMED = 10  # of the parameters that move together: a reader takes in no more, and all are in the record


def sentence(fact: Reason) -> str:
    """What is said of a fact; words that someone else gave stay as they are.

    Example:
        >>> sentence(Fact(FactKind.IDLE, ("slope",)))
        'slope does not change the prediction at the estimate'
    """
    if isinstance(fact, str):
        return fact
    words = WORDS[fact.kind]
    if callable(words):
        said = words(fact)
    else:
        first = fact.parameters[0] if fact.parameters else ""
        second = fact.parameters[1] if len(fact.parameters) > 1 else ""
        cause = "" if fact.cause is None else sentence(fact.cause)
        moved = _moved(fact) if "shares" in fact.numbers else ""
        names = ", ".join(fact.parameters)
        said = words.format(first=first, second=second, names=names, moved=moved, cause=cause, **fact.numbers)
    if fact.cure is None:
        return said
    if fact.cure.kind in _OF_A_DIVERGENCE:
        return f"{said}. {_capitalised(sentence(fact.cure))}."
    return f"{said}{': ' if fact.cure.kind in _MEANINGS else '; '}{sentence(fact.cure)}"


def sentences(facts: Sequence[Reason]) -> str:
    """Several facts, with semicolons between."""
    return "; ".join(map(sentence, facts))


def opening(fact: Reason) -> str:
    """The words at the beginning of a line: with a capital letter, but a parameter's name as it is."""
    begins_with_name = not isinstance(fact, str) and fact.kind in _BEGIN_WITH_NAME
    return sentence(fact) if begins_with_name else _capitalised(sentence(fact))


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _moved(fact: Fact) -> str:
    """A direction: the name of its only parameter, or ``+1 a −0.5 b``."""
    if len(fact.parameters) == 1:
        return fact.parameters[0]
    shares: Any = fact.numbers["shares"]
    pairs = zip(shares, fact.parameters, strict=True)
    return " ".join(f"{share:+.3g}".replace("-", "−") + f" {name}" for share, name in pairs)


def _inseparable(fact: Fact) -> str:
    shares: Any = fact.numbers["shares"]
    if len(fact.parameters) > _MOST_NAMED:
        pairs = sorted(zip(shares, fact.parameters, strict=True), key=lambda pair: -abs(pair[0]))[:_MOST_NAMED]
        others = f"{len(fact.parameters) - _MOST_NAMED} more"
        moves = " ".join(f"{share:+.3g} {name}" for share, name in pairs)
        listed = _listed([*(name for _, name in pairs), others])
        return (
            f"{listed} cannot be told apart: moving them together by {moves} and {others} by less changes no prediction"
        )
    listed = f"{_listed(fact.parameters)} cannot be told apart"
    if len(fact.parameters) == 2:
        return f"{listed}: correlation {'−' if shares[0] * shares[1] < 0 else ''}1.00000"
    moves = " ".join(f"{share:+.3g} {name}" for share, name in zip(shares, fact.parameters, strict=True))
    return f"{listed}: moving them together by {moves} changes no prediction"


def _way_left(fact: Fact) -> str:
    """How far the end is, where the curvature tells it."""
    value: Any = fact.numbers["value"]
    if not math.isfinite(value):
        return "how far the minimum is is not known, for along some direction the loss does not curve upwards there"
    offset = " (relative offset)" if fact.kind is _K.RELATIVE_OFFSET_LEFT else ""
    return f"the step that is left is {value:.1e} standard errors{offset}"


def _on_ridge(fact: Fact) -> str:
    """Which parameters hardly change the likelihood where they move together, and where they are."""
    values: Any = fact.numbers["values"]
    at = ", ".join(f"{name} {value:.4g}" for name, value in zip(fact.parameters, values, strict=True))
    return (
        f"{_listed(fact.parameters)} move together along a ridge on which the likelihood hardly changes, and are far"
        f" out on it ({at}); how far its top is is not known, and it may have none"
    )


def _without_influence(fact: Fact) -> str:
    several = len(fact.parameters) > 1
    which = f"{_listed(fact.parameters)} {'are' if several else 'is'}"
    return f"{which} where no prediction depends on {'them' if several else 'it'}; give other starts."


def _not_positive_definite(fact: Fact) -> str:
    numbers: Any = fact.numbers
    word, value = numbers["matrix"], numbers["eigenvalue"]
    curves = "does not curve" if numbers["flat"] else "curves downwards"
    return (
        f"the {word} is not positive definite at the estimate: along {_moved(fact)} the loss {curves} (eigenvalue"
        f" {value:.2g} of the scaled {word}, the largest is {numbers['largest']:.2g})"
    )


def _moved_apart(fact: Fact) -> str:
    """Which equal starts were moved where."""
    starts = fact.numbers["starts"]
    assert isinstance(starts, tuple)
    moved = _listed([f"{start:.6g}" for start in starts])
    return (
        f"{_listed(fact.parameters)} start at equal values where the model cannot tell them from each other, so that no"
        f" step would part them: the fit began with them moved apart, at {moved}"
    )


def _by_method(fact: Fact) -> str:
    """What errors rest on, with the weights and the delta method where there are any."""
    numbers = fact.numbers
    said = _METHODS[fact.kind].format(**{**numbers, "weights": "W " if numbers.get("weighted") else ""})
    return said + ("; bounded parameters by the delta method" if numbers.get("bounded") else "")


_METHODS = {
    _K.STUDENT_T: "s^2 (J^T {weights}J)^-1, Student's t with {freedom} degrees of freedom",
    _K.KNOWN_SIGMA: "(J^T W J)^-1 with the known sigma, normal distribution",
    _K.HUBER: "Huber's covariance of an M-estimate, Student's t with {freedom} degrees of freedom",
    _K.OBSERVED_INFORMATION: "inverse observed information, normal distribution",
    _K.EXPECTED_INFORMATION: (
        "inverse expected information, since the log-density has a kink in {kink}, normal distribution"
    ),
}


def _by_rss(fact: Fact) -> str:
    sigma_is_known = fact.numbers["known"]
    if fact.kind is _K.HESSIAN_OF_RSS:
        halved = "RSS / 2 with the known sigma" if sigma_is_known else "RSS / (2 s^2)"
        return f"inverse Hessian of {halved}, Gauss-Newton and curvature"
    larger = "the quantile of chi-square, sigma being known" if sigma_is_known else "s^2 t^2"
    return f"where the residual sum of squares, the others at their best, is larger by {larger}"


def _hc0(fact: Fact) -> str:
    weighed = ", rows over sigma" if fact.numbers["weighted"] else ""
    return f"HC0: (J^T J)^-1 (sum e_i^2 J_i J_i^T) (J^T J)^-1{weighed}"


def _correlation(fact: Fact) -> str:
    value: Any = fact.numbers["correlation"]
    digits = f"{value:.5f}" if abs(value) < 0.999995 else f"{value:.10f}"
    first, second = fact.parameters
    return f"{first} and {second} cannot be told apart: correlation {digits.replace('-', '−')}"


def _distance_left(fact: Fact) -> str:
    distance: Any = fact.numbers.get("distance")
    where = (
        "" if distance is None else f", and the fit is {distance:.3g} standard errors from the optimum: not converged"
    )
    if fact.numbers.get("at_start"):  # which files of older fits do not say
        where = f" (the first one judges the start, and no trial has led on from there yet){where}"
    if fact.kind is _K.ALL_UPDATES_MADE:
        return f"all updates that were asked for were made{where}."
    made = "{updates} of {planned}" if fact.numbers["planned"] else "{updates}"
    return f"the Trainer or a callback stopped the fit after {made.format(**fact.numbers)} updates{where}."


def _close(fact: Fact) -> str:
    distance: Any = fact.numbers["distance"]
    said = f"{distance:.3g} standard errors from the optimum, less than {fact.numbers['threshold']}."
    return said if fact.cause is None else f"{sentence(fact.cause)}; {said}"


def _no_improvement(fact: Fact) -> str:
    numbers: Any = fact.numbers
    enough = f"by more than {abs(numbers['min_delta']):g} " if numbers["min_delta"] else ""
    return (
        f"{numbers['monitor']} is {numbers['value']:.6g} and has not improved {enough}on its best"
        f" {numbers['best']:.6g} in {numbers['validations']} validations (patience {numbers['patience']})"
    )


def _without_maximum(fact: Fact) -> str:
    name, numbers = fact.parameters[0], fact.numbers
    start: Any = numbers["start"]
    value: Any = numbers["value"]
    return (
        f"{name} started at {start:.3g} and has run off to {value:.3g}, and no other start helps: the likelihood rises,"
        f" or stays the same, without end as {name} {'grows' if value > start else 'falls'}; give it a bound there, fix"
        " it (fixed: true), or take the distribution that it tends to."
    )


def _endless(fact: Fact) -> str:
    """That some parameters have no estimate, and how the likelihood goes on."""
    several = len(fact.parameters) > 1
    numbers: Any = fact.numbers
    falls = not several and numbers["shares"][0] < 0
    along = f"along {_moved(fact)}" if several else f"as {fact.parameters[0]} {'falls' if falls else 'grows'}"
    return f"{_listed(fact.parameters)} {'have' if several else 'has'} no finite estimate: {{}} {along}"


def _separated(fact: Fact) -> str:
    numbers: Any = fact.numbers
    column, columns = numbers["column"], numbers["columns"]
    if numbers["outcomes"] > 2:
        why = "no observation becomes less likely, and the likelihood rises without end"
        return f"{_endless(fact).format(why)}; no start helps: leave out what it stands for, or hold it (fixed: true)."
    if column is not None:
        lower, low, upper, high = (f"{numbers[key]:g}" for key in ("lower", "low", "upper", "high"))
        by = f"{column} separates the outcomes ({lower} up to {column} = {low}, {upper} from {high} on)"
    elif numbers["rows"] == numbers["observations"]:
        by = f"the outcomes are separated by {columns or 'the model'}"
    else:
        by = f"{numbers['rows']} of {numbers['observations']} outcomes are separated by {columns or 'the model'}"
    endless = _endless(fact).format(f"{by}, and the likelihood rises without end")
    without = f"leave {column or columns or 'a term'} out"
    return f"{endless}; no start helps: give rows in which outcomes overlap, {without}, or {_PENALTY}."


def _group(fact: Fact) -> str:
    numbers: Any = fact.numbers
    moved, column, censoring = numbers["rows"], numbers["column"], numbers.get("censoring")
    is_whole = moved == numbers["observations"]
    said = f"have the value {numbers['value']:g}" if censoring is None else f"are censored ({censoring})"
    if column is not None:
        which = f"all {moved} rows with {column} = {numbers['at']:g}"
    else:
        which = f"all {moved} rows" if is_whole else f"{moved} of {numbers['observations']} rows"
    cure = f"give rows with {'other values' if censoring is None else 'values'}"
    if not is_whole:
        cure = "tell of these rows what was counted, or leave them out together with what stands for them alone"
    endless = _endless(fact).format(f"{which} {said}, and the likelihood rises without end")
    return f"{endless}; no start helps: {cure}, or {_PENALTY}."


_PENALTY = "give a penalty (objective l2, with a torch optimizer)"


def _without_bound(fact: Fact) -> str:
    why = "the density of what the model meets exactly grows beyond every bound"
    return (
        f"{_endless(fact).format(why)}, so that there is no maximum; no start helps: give observations that differ from"
        " the model, or hold the spread (fixed: true)."
    )


def _prefers_limit(fact: Fact) -> str:
    numbers: Any = fact.numbers
    limit, argument = numbers["limit"], numbers["argument"]
    spread = "vary no more than Poisson's do" if limit == "Poisson" else "have no heavier tails than normal ones"
    names = f"{_listed(fact.parameters)} {'have' if len(fact.parameters) > 1 else 'has'}"
    return (
        f"{names} no finite estimate: the observations {spread}, and the likelihood of {numbers['family']} rises"
        f" without end as {argument} grows, towards {limit}'s; no start helps: take {limit} instead."
    )


def _open_interval(fact: Fact) -> str:
    sides: Any = [side for side in ("lower", "upper") if fact.numbers[side]]
    by, plain = fact.numbers["rung"], fact.numbers["plain"]
    return f"{fact.parameters[0]}: by the {by} its interval has no {' and no '.join(sides)} end, by the {plain} it has"


def _ends_apart(fact: Fact) -> str:
    numbers: Any = fact.numbers
    end, other = (value_as_with_error(numbers[key], numbers["error"]) for key in ("end", "plain_end"))
    return (
        f"{fact.parameters[0]}: the {numbers['side']} end of its interval is {end} by the {numbers['rung']} and"
        f" {other} by the {numbers['plain']}, {numbers['apart']:.2f} of that one's width apart"
    )


def _better_minimum(fact: Fact) -> str:
    numbers: Any = fact.numbers
    pairs = zip(fact.parameters, numbers["starts"], strict=True)
    starts = _listed([f"{name} = {start:.4g}" for name, start in pairs])
    z = f"{numbers['z']:.2g}".replace("-", "−")
    return (
        f"this is a local minimum, not the best one: the loss is {numbers['loss']:.4g} here (R²"
        f" {numbers['r_squared']:.3g}; {numbers['runs']} runs of signs along {numbers['input']}, z {z}), but"
        f" {numbers['better_loss']:.4g} was seen near {starts}"
    )


def _at(numbers: Mapping[str, Any]) -> str:
    """The inputs of a row, where they are given."""
    at = ", ".join(f"{value:g}" for value in numbers.get("inputs", ()))
    return f" (input {at})" if at else ""


def _outside_domain(fact: Fact) -> str:
    numbers: Any = fact.numbers
    row, rows = numbers["row"], numbers["rows"]
    where = "" if row is None else f" in row {row}{_at(numbers)}"
    others = f" ({rows} rows are)" if row is not None and rows > 1 else ""
    return (
        f"{numbers['argument']} is {numbers['value']:.6g}{where}{others}, outside what {numbers['distribution']}"
        f" allows, {numbers['allowed']}"
    )


def _in_rows(numbers: Any) -> str:
    """The rows that a fact is about."""
    rows, row = numbers["rows"], numbers["row"]
    if row is None:
        return " in all rows"
    return f" in {f'{rows} rows, first ' if rows > 1 else ''}row {row}{_at(numbers)}"


def _endless_at_edge(fact: Fact) -> str:
    numbers: Any = fact.numbers
    towards = "the edge of what the distribution's arguments may be"
    if "argument" in numbers:
        side = "least" if numbers["below"] else "largest"
        towards = (
            f"the edge of the domain, where {numbers['argument']} is {numbers['end']:g}{_in_rows(numbers)}, the {side}"
            f" that {numbers['distribution']} allows"
        )
    return (
        f"the likelihood grows without end towards {towards}, so that it has no maximum; no start helps: hold the"
        " argument away from there by a bound, or by a formula."
    )


def _where_formula_ends(fact: Fact) -> str:
    """The function, its end, the rows, and the parameters that would move over it."""
    numbers: Any = fact.numbers
    side = "least" if numbers["below"] else "largest"
    of = "the base of a power" if numbers["operation"] == "**" else f"the argument of {numbers['operation']}"
    return (
        f"{of} is {numbers['end']:g}{_in_rows(numbers)}, the {side} it may be, held there by {_listed(fact.parameters)}"
    )


def _held_by_edge(fact: Fact) -> str:
    argument = fact.numbers["argument"]
    of = "a power" if argument == "**" else argument
    return f"{fact.parameters[0]} is held by the edge of {of}'s domain, and has no freedom left for an error"


def _ended_at_formulas_edge(fact: Fact) -> str:
    where = f"the edge of where the formula is defined: {_where_formula_ends(fact)}"
    if fact.numbers["lowest"]:
        return f"the loss is at its lowest on {where}; inwards it rises."
    return f"no step lowers the loss from {where}; whether it is lower elsewhere is not known; give other starts."


def _formula_at_edge(fact: Fact) -> str:
    names, several = _listed(fact.parameters), len(fact.parameters) > 1
    return (
        f"the fit is on the edge of where the formula is defined: {_where_formula_ends(fact)}; an error of {names}"
        f" means nothing there, and all other errors take {'them' if several else 'it'} as fixed"
    )


def _argument_at_edge(fact: Fact) -> str:
    numbers: Any = fact.numbers
    side = "least" if numbers["below"] else "largest"
    return (
        f"the maximum is on the edge of the domain: {numbers['argument']} is {numbers['end']:g}{_in_rows(numbers)}, the"
        f" {side} that {numbers['distribution']} allows; errors are conditional on that, one-sided towards the inside,"
        " and beyond the edge there is no likelihood"
    )


_OPERATIONS = {"*": "a product", "/": "a quotient", "**": "a power"}


def _underflow(fact: Fact) -> str:
    """Which operation of the formula is too small, and what that rounds by how much."""
    numbers: Any = fact.numbers
    which = _OPERATIONS.get(numbers["operation"], numbers["operation"])
    part = f"up to {numbers['part']:.1e} of" if math.isfinite(numbers["part"]) else "more than"
    off = f"predictions by {part} the residuals"
    if fact.parameters:
        off = f"derivatives by {fact.parameters[0]} by {part} the largest"
    return (
        f"rounding decides: {which} of {numbers['operands']} in the formula is as small as {numbers['smallest']:.2g},"
        f" below 2.2e-308, where float64 has not all digits, which rounds {off}"
    )


def _rate(value: Any) -> str:
    """Two digits, of a rate to try: ``0.033``, but ``3.4e-4`` where zeros would have to be counted."""
    if value >= 1e-3:
        return f"{value:.2g}"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def _limit(value: Any) -> str:
    """The largest stable rate, by as many digits as the doctor gives it."""
    return f"{value:.5g}"


def _cure_of_divergence(fact: Fact) -> str:
    numbers: Any = fact.numbers
    rate, limit = numbers["rate"], numbers.get("limit")
    if fact.kind is _K.RATE_BELOW:
        because = "" if fact.cause is None else sentence(fact.cause)
        return f"no largest stable rate is known ({because}); try a learning rate below {rate:g}"
    if fact.kind is _K.SMALLER_RATE_OR_START:
        return (
            f"learning rate {rate:g} is below the largest stable rate {_limit(limit)} at the start, so the curvature"
            f" has grown on the way or the gradient is wrong; try {_rate(rate / 10)}, another start, or"
            " AutogradGradient"
        )
    above = f"learning rate {rate:g} is {rate / limit:.3g} times the largest stable rate {_limit(limit)}"
    if fact.kind is _K.SCALE_INPUT:
        return (
            f"{above}; scaling the input by {numbers['scale']:g} raises the limit to {_limit(numbers['scaled_limit'])}"
        )
    return f"{above}; a rate of {_rate(limit / 2)} descends"


_BEGIN_WITH_NAME = {
    _K.RUN_OFF,
    _K.LIKELIHOOD_WITHOUT_MAXIMUM,
    _K.WITHOUT_INFLUENCE,
    _K.SEPARATED,
    _K.GROUP_WITHOUT_MAXIMUM,
    _K.LIKELIHOOD_WITHOUT_BOUND,
    _K.PREFERS_LIMIT,
}
_OF_A_DIVERGENCE = {_K.RATE_BELOW, _K.SMALLER_RATE_OR_START, _K.SCALE_INPUT, _K.HALF_OF_LIMIT}
_MEANINGS = {
    _K.MODEL_CURVES: "the model curves within the size of the residuals; look at the profile likelihood",
    _K.SAMPLE_NOT_TYPICAL: "the sample is not as informative as a typical one; look at the profile likelihood",
    _K.ERROR_MODEL_WRONG: (
        "the error model is wrong (unequal variances, overdispersion or heavy tails); trust the sandwich, or change"
        " that model"
    ),
    _K.PARABOLA_POOR: "the parabola is a poor picture of the likelihood; give the profile's interval",
    _K.SAMPLES_SCATTER_OTHERWISE: (
        "another sample would scatter otherwise than the error model and its parabola say; see whether the sandwich or"
        " the profile agrees with it"
    ),
    _K.ONE_OF_THEM_HOLDS: "find out which of them holds",
    _K.OTHERS_NOT_ALIKE: "those left out are not like the others, so that no error is told",
    _K.NO_ERROR_HOLDS: "no error by curvature holds; give other starts, or fix a parameter",
    _K.SADDLE: "the fit may have stopped at a saddle; give other starts",
}

WORDS: dict[FactKind, str | Callable[[Fact], str]] = {
    _K.CLOSE_TO_OPTIMUM: _close,
    _K.ALL_UPDATES_MADE: _distance_left,
    _K.TRAINER_STOPPED: _distance_left,
    _K.NOT_FINITE_AT_END: lambda fact: (
        f"loss or parameters are not finite at the end{'' if fact.cause is None else f': {sentence(fact.cause)}'}"
    ),
    _K.NO_IMPROVEMENT: _no_improvement,
    _K.CTRL_C: "Ctrl-C; --ckpt_path last goes on from here",
    _K.SIGTERM: "SIGTERM; --ckpt_path last goes on from here",
    _K.LOSS_NOT_FINITE: "the loss at update {update} is {value}: no later update can bring it back",
    _K.GRADIENT_NOT_FINITE: (
        "the gradient of {first} at update {update} is not finite: no later update can bring it back"
    ),
    _K.PARAMETER_NOT_FINITE: "the parameter {first} is not finite after update {update}: it will never be again",
    _K.LOSS_GREW: (
        "the loss at update {update} is {value:.6g}, more than {threshold:g} times the first loss {first_loss:.6g}:"
        " each update makes it worse (--divergence.growth_factor null would let it go on)"
    ),
    _K.FROZEN: (
        "the parameters did not change in update {update}, though the loss {value:.6g} is above the first loss"
        " {first_loss:.6g}: the update is lost in rounding, and so will be every later one"
    ),
    _K.OUTSIDE_DOMAIN: _outside_domain,
    _K.HELD_OUT_OUTSIDE: (
        "the loss of the held-out rows is infinite: {cause}; leave such rows out, or fit a formula that stays inside,"
        " such as exp(...) for what is above 0"
    ),
    _K.LEFT_DOMAIN: (
        "at update {update} there is no likelihood: {cause}; Newton, without another optimizer, stays inside, and so"
        " does a formula such as exp(...) for what is above 0"
    ),
    _K.ITERATIONS_USED_UP: "not converged in {steps} iterations: {cause}.",
    _K.RELATIVE_OFFSET_LEFT: _way_left,
    _K.RELATIVE_OFFSET_SMALL: (
        "the step that is left is {value:.1e} standard errors (relative offset), at most {threshold:g}."
    ),
    _K.RELATIVE_OFFSET_AT_ROUNDING: ("the loss cannot be lowered any more, and the relative offset is {value:.1e}."),
    _K.DISTANCE_LEFT: _way_left,
    _K.ON_RIDGE: _on_ridge,
    _K.DISTANCE_SMALL: "the step that is left is {value:.1e} standard errors, at most {threshold:g}.",
    _K.DISTANCE_AT_ROUNDING: (
        "the loss cannot be lowered any more, and the minimum is {value:.1e} standard errors away."
    ),
    _K.KINK_OF_LOSS: (
        "the loss has a kink there, and no direction leads down on both of its sides (relative offset {value:.1e}, at"
        " most {threshold:g}); errors by the slopes on one side are rough, the profile likelihood holds."
    ),
    _K.SINGULAR_AT_OPTIMUM: (
        "the loss cannot be lowered any more, and to first order no prediction depends on {names} there."
    ),
    _K.STEP_SMALL: "the step that is left is {value:.1e} of each parameter, at most {threshold:g}.",
    _K.SOLVED_EXACTLY: "the model is linear in its parameters: solved exactly.",
    _K.EXACT_FIT: "the residuals are {value:.1e} long, nothing but rounding: the fit is exact.",
    _K.NO_DESCENT_BY_OFFSET: (
        "no step lowers the loss, though the relative offset is {value:.1e}, above {threshold:.0e}."
    ),
    _K.NO_DESCENT_BY_DISTANCE: (
        "no step lowers the loss, though the minimum seems {value:.1e} standard errors away, above {threshold:g};"
        " give other starts."
    ),
    _K.NO_MINIMUM: (
        "no step lowers the loss, but it is no minimum: along some direction it is flat or curves down; give other"
        " starts."
    ),
    _K.NOTHING_DETERMINED: (
        "no parameter is determined here, the best known one to {value:.1e} times its size: the model has lost sight"
        " of the data; give other starts."
    ),
    _K.RUN_OFF: (
        "{first} started at {start:.3g} and has run off to {value:.3g}, and nothing holds it there: the loss hardly"
        " depends on it any more; give other starts, or bounds."
    ),
    _K.ON_EDGE_OF_DOMAIN: (
        "the likelihood is at its largest on the edge of what the distribution's arguments may be; along the edge the"
        " step that is left is {value:.1e} standard errors."
    ),
    _K.ENDED_AT_FORMULAS_EDGE: _ended_at_formulas_edge,
    _K.ENDLESS_AT_EDGE: _endless_at_edge,
    _K.LIKELIHOOD_WITHOUT_MAXIMUM: _without_maximum,
    _K.SEPARATED: _separated,
    _K.GROUP_WITHOUT_MAXIMUM: _group,
    _K.LIKELIHOOD_WITHOUT_BOUND: _without_bound,
    _K.PREFERS_LIMIT: _prefers_limit,
    _K.WITHOUT_INFLUENCE: _without_influence,
    _K.DIVERGED: "the fit diverged",
    _K.PENALISED: "a penalty is on, which biases the estimates",
    _K.NO_CURVATURE: "{objective} has no curvature to read an error from",
    _K.ESTIMATES_NOT_FINITE: "the estimates are not finite",
    _K.NOT_DIFFERENTIABLE: "autograd cannot differentiate the model ({failure})",
    _K.JACOBIAN_NOT_FINITE: "the Jacobian is not finite at the estimate",
    _K.HESSIAN_NOT_FINITE: "the {matrix} is not finite at the estimate",
    _K.TOO_FEW_OBSERVATIONS: "{observations} observations cannot tell the errors of {parameters} parameters",
    _K.NO_INFORMATION_AT_KINK: (
        "the log-density has a kink in {kink}, so that no curvature tells an error, and the expected information is"
        " known of a DistributionModel without censored observations only"
    ),
    _K.NOT_A_MAXIMUM: (
        "the Hessian is not positive definite at the estimate (smallest eigenvalue {eigenvalue:.2g} of the scaled one):"
        " along {moved} the likelihood does not fall, so that this is no maximum"
    ),
    _K.NOT_POSITIVE_DEFINITE: _not_positive_definite,
    _K.HESSIAN_INDEFINITE: "the Hessian is not positive definite",
    _K.ALL_AT_BOUND: "every parameter sits at its bound",
    _K.RESIDUALS_ZERO: "the residuals are all 0, so that there is no likelihood to curve",
    _K.NOT_ON_AN_EDGE: "it does not hold on the edge of a domain, where estimates scatter to one side",
    _K.NO_CLOSED_FORM: "it has no closed form here",
    _K.NOT_AT_MAXIMUM: "the fit is unfinished, and they are those of a maximum",
    _K.BENDS_NOWHERE: "the log-density has a kink in {kink}, and its Hessian is 0 elsewhere",
    _K.NO_RESAMPLES_AT_KINK: "resamples are solved by their curvature, and the log-density has a kink in {kink}",
    _K.REFUSED: "{message}",
    _K.NOT_FORESEEABLE: "not foreseeable for {optimizer} with these settings",
    _K.RATE_NOT_STABLE: "the learning rate is not below the largest stable one",
    _K.MORE_UPDATES_THAN: "more than {updates:.0e}",
    _K.SOLVED_NOT_DESCENDED: "{what} is solved, not descended",
    _K.NORMALISATION_STAYS: "the model cannot undo the normalisation; estimates are on the scaled input",
    _K.NOT_EXAMINED: "the start was not examined",
    _K.NO_LEARNING_RATE: "{what} is solved, and has no learning rate",
    _K.NO_FIXED_LIMIT: "no fixed limit holds for {optimizer}",
    _K.NO_UPWARD_CURVATURE: "the objective has no upward curvature at the start (largest eigenvalue {eigenvalue:.3g})",
    _K.NO_GRADIENT_LEFT: "a dampening of 1 or more leaves no gradient to descend by",
    _K.TOO_MANY_PARAMETERS: "not computed for more than {most} parameters",
    _K.NOT_CURVED_UPWARDS: ("the Hessian is not positive definite at the start (smallest eigenvalue {eigenvalue:.3g})"),
    _K.IDLE: "{first} does not change the prediction at the estimate",
    _K.FLAT_LIKELIHOOD: "{first} does not bend the likelihood at the estimate",
    _K.INSEPARABLE: _inseparable,
    _K.GROWS_WITHOUT_END: "{first} has no finite estimate",
    _K.SITS_AT_BOUND: "{first} sits at its bound, where an error means nothing",
    _K.HELD_BY_EDGE: _held_by_edge,
    _K.NO_METHOD: "none",
    _K.STUDENT_T: _by_method,
    _K.KNOWN_SIGMA: _by_method,
    _K.HUBER: _by_method,
    _K.OBSERVED_INFORMATION: _by_method,
    _K.EXPECTED_INFORMATION: _by_method,
    _K.INVERSE_HESSIAN: "inverse Hessian",
    _K.HESSIAN_OF_RSS: _by_rss,
    _K.FISHER_INFORMATION: "inverse Fisher information, normal distribution",
    _K.HETEROSCEDASTICITY_CONSISTENT: _hc0,
    _K.OUTER_PRODUCTS_OF_SCORES: "B^-1 M B^-1, B the Hessian and M the sum of outer products of the scores",
    _K.PROFILE_LIKELIHOOD: "where the likelihood, the others at their best, is lower by the quantile of chi-square / 2",
    _K.PROFILE_RSS: _by_rss,
    _K.PERCENTILES: "quantiles of {resamples} resamples of the observations, seed {seed}",
    _K.BCA_QUANTILES: (
        "bias-corrected and accelerated quantiles of {resamples} resamples of the observations, seed {seed}"
    ),
    _K.NO_RESAMPLES: "quantiles of resamples",
    _K.TOO_FEW_POINTS: "two curves of at least {least} points are needed, but validation ran {points} times",
    _K.VALIDATION_ROSE: (
        "from update {begin} to {end} the validation loss rose from {val_begin:.4g} to {val_end:.4g} while the training"
        " loss fell from {train_begin:.4g} to {train_end:.4g}"
    ),
    _K.TRAINING_HARDLY_FELL: (
        "from update {begin} to {end} the training loss hardly fell, from {train_begin:.4g} to {train_end:.4g}"
    ),
    _K.BOTH_STILL_FALLING: (
        "from update {begin} to {end} both losses were still falling: training from {train_begin:.4g} to"
        " {train_end:.4g}, validation from {val_begin:.4g} to {val_end:.4g}"
    ),
    _K.NEITHER_MOVED: (
        "from update {begin} to {end} neither curve moved much: training {train_begin:.4g} to {train_end:.4g},"
        " validation {val_begin:.4g} to {val_end:.4g}"
    ),
    _K.AT_BOUND: (
        "{first} sits at its {side} bound (estimate {estimate:.6g}): an error there means nothing, and all other errors"
        " take it as fixed; the profile likelihood gives its one-sided interval (--ladder.enabled true, or"
        " paramfit.ladder); fix it, or widen the bound if you gave it"
    ),
    _K.STARTS_MOVED_APART: _moved_apart,
    _K.FORMULA_AT_EDGE: _formula_at_edge,
    _K.ARGUMENT_AT_EDGE: _argument_at_edge,
    _K.INTERVAL_OVER_BOUND: (
        "{first}: its interval reaches over its {side} bound {bound:g}, so that the parabola is a poor picture there;"
        " the profile likelihood keeps to the bound (--ladder.enabled true, or paramfit.ladder)"
    ),
    _K.STRONG_CORRELATION: _correlation,
    _K.MORE_STRONG_CORRELATIONS: "and {pairs} more such pairs; the curve is sound, its parameters are not",
    _K.RESIDUALS_ABOVE_SIGMA: (
        "the residuals are larger than sigma allows (chi-square {chi_square:.4g} for {freedom} degrees of freedom,"
        " probability {probability:.2g}): the curve is not the data's, or sigma is too small; sigma_is: relative takes"
        " the errors from the residuals"
    ),
    _K.RESIDUALS_BELOW_SIGMA: (
        "the residuals are smaller than sigma allows (chi-square {chi_square:.4g} for {freedom} degrees of freedom):"
        " sigma is too large; sigma_is: relative takes the errors from the residuals"
    ),
    _K.WORSE_THAN_CONSTANT: ("R² is {r_squared:.3g}: the curve fits worse than a constant would"),
    _K.BETTER_MINIMUM: _better_minimum,
    _K.SYSTEMATIC_RESIDUALS: (
        "the residuals hang together along {input}: {runs} runs of one sign where {expected:.0f} would be expected"
        " (probability {probability:.1e}, R² {r_squared:.3g})"
    ),
    _K.ROUNDING_DECIDES: (
        "rounding decides: the terms of {names} are as large as {term:.2g} and cancel, so that float64 rounds each"
        " prediction by {rounding:.1e}, where the residuals are {spread:.1e}"
    ),
    _K.UNDERFLOW_DECIDES: _underflow,
    _K.OBSERVATIONS_ROUNDED: (
        "rounding decides: the observations are as large as {largest:.2g}, so that float64 rounds each by"
        " {rounding:.1e}, where the fitted distribution's standard deviation is {spread:.1e}; subtract a number near"
        " them before the fit"
    ),
    _K.AS_MANY_PARAMETERS: (
        "there are as many parameters as observations: the curve meets every point, and nothing is left to tell errors"
        " by; give more rows, or sigma"
    ),
    _K.HELD_AT_BOUND: "{first} sits at its bound: an error there means nothing, and all other errors take it as fixed",
    _K.NOT_CONVERGED: "the fit has not converged ({status}), so that no error here can be trusted: {cause}",
    _K.OPEN_INTERVAL: _open_interval,
    _K.ENDS_APART: _ends_apart,
    _K.RESAMPLES_NOT_TELLING: "{failed} of {resamples} resamples do not determine all parameters",
    _K.RESAMPLES_FAILED: (
        "{failed} of {resamples} resamples could not be fitted, since their observations do not determine all"
        " parameters or the steps did not converge; they are left out, which makes errors too small"
    ),
    _K.NO_END_BEFORE_BOUND: (
        "{first}: the {side} end of its interval is its bound {value:g}, where the deviance is {deviance:.3g}, below"
        " {limit:.3g}"
    ),
    _K.NO_END_WHERE_FLAT: (
        "{first}: its interval has no {side} end: the likelihood is flat, at {value:.3g} the deviance is"
        " {deviance:.3g}, below {limit:.3g}"
    ),
    _K.END_NOT_REACHED: (
        "{first}: the {side} end of its interval was not found: the likelihood cannot be followed beyond {value:.6g},"
        " where the deviance is {deviance:.3g}, below {limit:.3g}"
    ),
    _K.LARGER_LIKELIHOOD_FARTHER: (
        "{first}: the {side} end of its interval was not found: the likelihood is larger at {value:.6g} than at the"
        " estimate; fit again from there"
    ),
    _K.OF_THE_BOOTSTRAP: "bootstrap: {cause}",
    _K.RUN_NOT_CONVERGED: "{run} has not converged ({ended}): its likelihood is not the largest",
    _K.RUN_AT_BOUND: "{run}: {first} is at its {side} bound and not counted",
    _K.OTHER_INPUTS: "{run} and {other} have the same target but other inputs, which are taken to be of the same rows",
    _K.ERRORS_OF_OTHER_KINDS: "no test: their errors are of different kinds",
    _K.NOT_NESTED: "not nested (not found)",
    _K.NO_FREEDOM_LEFT: "no test: no degree of freedom is left",
    _K.LARGER_FITS_WORSE: (
        "no test: {run} fits worse than what it contains, so it is not at its best; give it other starts"
    ),
    _K.CONSERVATIVE_AT_BOUND: (
        "under the smaller model {names} of the larger sits at a bound, so that the probability is conservative (too"
        " large)"
    ),
    _K.UNDETERMINED_UNDER_SMALLER: (
        "under the smaller model nothing determines {names} of the larger, so that the statistic does not follow its"
        " distribution; trust the criteria instead"
    ),
    _K.RATE_BELOW: _cure_of_divergence,
    _K.SMALLER_RATE_OR_START: _cure_of_divergence,
    _K.SCALE_INPUT: _cure_of_divergence,
    _K.HALF_OF_LIMIT: _cure_of_divergence,
    **_MEANINGS,
    _K.OTHER_STARTS: "give them different starts",
    _K.OTHER_UNITS: "count the target, or an input, in other units, so that numbers are nearer to 1",
    _K.START_NEARER: "give other starts, nearer to these",
    _K.MODEL_OR_START: (
        "the model lacks something there, the errors depend on each other, or the fit sits in a local minimum; look at"
        " the figure, and try other starts"
    ),
    _K.ADD_CONSTANT: "add a constant to the model, which is solved exactly, so that no other start helps",
    _K.LOOK_AND_RESTART: "look at the figure, and give other starts",
    _K.SUBTRACT_FROM_INPUT: "subtract {number:.10g} from {first}, which varies by {range:.3g} only, before the fit",
    _K.FIX_ONE: "fix one of them (fixed: true), or leave it out",
    _K.CENTRE_OR_MEASURE_ELSEWHERE: (
        "fix one of them (fixed: true), count an input from the middle of its values, or measure where they act"
        " differently"
    ),
    _K.FORMULA_THAT_STAYS_INSIDE: (
        "if a maximum inside is expected, give a formula that stays inside, such as exp(...) or 1/(1 + exp(-(...)))"
    ),
    _K.START_ACROSS_OR_FIX: (
        "a better fit may lie across infinity, with the other signs: give other starts, those signs among them; or fix"
        " one of them, or take a simpler formula"
    ),
    _K.FIX_OR_RESTART: "give another start, fix it (fixed: true), or leave it out",
}
"""The template of each kind, or the function that fills it where the words depend on the numbers."""
