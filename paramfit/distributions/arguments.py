"""What the arguments of a distribution may be, whether a likelihood can be maximised by them, and their values."""

import inspect
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from torch import Tensor
from torch.distributions import ContinuousBernoulli, Distribution, constraints

from paramfit.distributions.families import inherited_family
from paramfit.errors import InputError

__all__ = ["argument_bounds", "argument_values", "check_formula", "is_integer", "made", "named_arguments", "rebuilt"]

_SAME = ("probs", "logits")  # two ways to say one thing, of which a constructor takes one

# torch leaves the classes of its constraints without a public name.
_REAL: Any = type(constraints.real)
_ABOVE: Any = (constraints.greater_than, constraints.greater_than_eq)
_BETWEEN: Any = (constraints.interval, constraints.half_open_interval)
_BELOW: Any = constraints.less_than


def named_arguments(kind: type[Distribution]) -> tuple[str, ...]:
    """The arguments that a distribution's constructor takes, in its order.

    Those that have a default and no constraint (``ContinuousBernoulli``'s ``lims``) are settings, not arguments.

    Raises:
        InputError: for a distribution that is not univariate or whose arguments have no constraints of their own.

    Example:
        >>> from torch.distributions import Gamma
        >>> named_arguments(Gamma)
        ('concentration', 'rate')
    """
    constrained = _constraints(kind)
    return tuple(
        name
        for name, parameter in inspect.signature(kind).parameters.items()
        if name in constrained
        or (parameter.default is parameter.empty and parameter.kind is parameter.POSITIONAL_OR_KEYWORD)
    )


def is_integer(kind: type[Distribution], argument: str) -> bool:
    """Whether an argument is a whole number (``Binomial``'s ``total_count``), which can only be fixed.

    An argument without a constraint (``RelaxedBernoulli``'s ``temperature``) is not known to be one.

    Raises:
        InputError: as ``named_arguments`` does.
    """
    return _is_discrete(_constraints(kind).get(argument))


def argument_bounds(kind: type[Distribution], argument: str) -> tuple[float | None, float | None]:
    """Between what a free argument of a distribution lies, by its ``arg_constraints`` and its family's ``bounds``.

    Raises:
        InputError: for an argument that cannot be estimated from a likelihood's maximum inside its bounds: a whole
            number, one at which the support ends, one that is no single number; for a distribution that is not
            univariate.

    Example:
        >>> from torch.distributions import Gamma
        >>> argument_bounds(Gamma, "rate")
        (0.0, None)
    """
    closed_form = inherited_family(kind).edges.get(argument)
    if closed_form is not None:
        raise InputError(
            f"parameters.{argument}: the support of {kind.__name__} ends at it, so the likelihood has its maximum on"
            f" the edge of the sample, {argument} = the {closed_form} observation, and errors by curvature mean"
            " nothing there; give that value as {start: ..., fixed: true}"
        )
    constrained = _constraints(kind)
    if argument not in constrained:
        raise InputError(
            f"parameters.{argument}: {kind.__name__} has no constraint for it, only for {', '.join(constrained)}; give"
            " {start: ..., fixed: true}"
        )
    constraint = constrained[argument]
    if _is_discrete(constraint):
        raise InputError(
            f"parameters.{argument}: {kind.__name__}'s {argument} is an integer: give {{start: ..., fixed: true}}"
        )
    bounds = inherited_family(kind).bounds.get(argument)
    if bounds is not None:
        return bounds
    if isinstance(constraint, _REAL):
        return None, None
    if isinstance(constraint, _ABOVE):
        return float(constraint.lower_bound), None
    if isinstance(constraint, _BELOW):
        return None, float(constraint.upper_bound)
    if isinstance(constraint, _BETWEEN):
        return float(constraint.lower_bound), float(constraint.upper_bound)
    is_dependent: Any = constraints.is_dependent  # which torch leaves untyped
    by = "the rest of its arguments" if is_dependent(constraint) else str(constraint)
    raise InputError(
        f"parameters.{argument}: {kind.__name__} constrains it by {by}, and only single real numbers"
        " between bounds are estimated; give {start: ..., fixed: true} or take another distribution"
    )


def check_formula(kind: type[Distribution], argument: str) -> None:
    """Refuse a formula with free coefficients for an argument that could not be estimated either.

    A formula of input columns alone is no estimate, and is not asked for here.

    Raises:
        InputError: for a whole number, an argument at which the support ends, and whatever else ``argument_bounds``
            refuses.

    Example:
        >>> from torch.distributions import Binomial
        >>> check_formula(Binomial, "total_count")
        Traceback (most recent call last):
        paramfit.errors.InputError: parameters.total_count: it is an integer, which is not estimated; ...
    """
    instead = "give {start: ..., fixed: true}, or a formula of inputs and fixed coefficients alone"
    if is_integer(kind, argument):
        raise InputError(f"parameters.{argument}: it is an integer, which is not estimated; {instead}")
    if argument in inherited_family(kind).edges:
        raise InputError(
            f"parameters.{argument}: the support of {kind.__name__} ends at it, so the likelihood has its maximum where"
            f" the formula touches an observation, and errors by curvature mean nothing there; {instead}"
        )
    argument_bounds(kind, argument)


def argument_values(distribution: Distribution, names: Sequence[str] = ()) -> dict[str, Tensor]:
    """The values with which a distribution can be made again; the names decide between ``probs`` and ``logits``.

    Raises:
        InputError: if an argument is not kept as an attribute.
    """
    wanted = list(named_arguments(type(distribution)))
    if set(_SAME) <= set(wanted):
        wanted.remove(_unused_of_the_same(distribution, names))
    for name in wanted:
        if not hasattr(distribution, name):
            raise InputError(
                f"distribution: {type(distribution).__name__} does not keep its argument {name} as an attribute of that"
                " name, so its derivatives cannot be taken; keep it"
            )
    return {name: getattr(distribution, name) for name in wanted}


def rebuilt(distribution: Distribution, values: Mapping[str, Tensor]) -> Distribution:
    """A distribution of the same class with these values of its arguments, which are not checked."""
    return made(type(distribution), values)


def made(kind: Any, values: Mapping[str, Tensor]) -> Distribution:
    """A distribution with these values of its arguments, which are neither checked nor moved.

    torch moves a probability of ``ContinuousBernoulli`` that is nearer to 0 or 1 than a rounding of 1.
    """
    moved = issubclass(kind, ContinuousBernoulli) and "probs" in values
    given = {**values, "probs": values["probs"].detach().clamp(0, 1)} if moved else values  # others it refuses
    distribution: Distribution = kind(**given, validate_args=False)  # whose arguments are its own
    if moved:
        probs = values["probs"].expand(distribution.batch_shape)
        vars(distribution).update(probs=probs, _param=probs)
    return distribution


def _constraints(kind: type[Distribution]) -> Mapping[str, Any]:
    support = getattr(kind, "support", None)
    with suppress(NotImplementedError):  # whose dimension is known only once it is made
        if isinstance(support, constraints.Constraint) and support.event_dim > 0:
            raise InputError(
                f"distribution: {kind.__name__} is not univariate; only distributions of single numbers are fitted"
            )
    own: Any = kind.arg_constraints
    # Uniform's are a property, since each bounds the other: they are known once it is made.
    edges = inherited_family(kind).edges
    constrained: Mapping[str, Any] = own if isinstance(own, Mapping) else dict.fromkeys(edges, constraints.dependent)
    if not constrained:
        raise InputError(
            f"distribution: {kind.__name__} does not say what its arguments may be (arg_constraints); write a module"
            " that returns the distribution, and give it by its class_path"
        )
    return constrained


def _is_discrete(constraint: Any) -> bool:
    try:
        return constraint is not None and bool(constraint.is_discrete)
    except NotImplementedError:  # known only once it is made
        return False


def _unused_of_the_same(distribution: Distribution, names: Sequence[str]) -> str:
    for name, other in (_SAME, _SAME[::-1]):
        if name in names:
            return other
    # Both may be there, since the one is computed from the other on demand; torch keeps the one that was given.
    given = getattr(distribution, "_param", None)
    return "logits" if given is None or given is vars(distribution).get("probs") else "probs"
