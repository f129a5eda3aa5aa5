"""A model that is a distribution, with arguments that are parameters or formulas."""

import inspect
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from paramfit.distributions import argument_bounds, is_integer, moment_start
from paramfit.distributions.arguments import check_formula, made
from paramfit.errors import InputError
from paramfit.formulas.names import as_names, check_names
from paramfit.models.argument_formula import ArgumentFormula, columns_for_constants, formula_variables
from paramfit.models.base import ParametricModel, broadcast_parameters, unconstrained_values
from paramfit.models.import_path import imported
from paramfit.parameters import ParameterSpec, dtype_named

__all__ = ["DistributionModel", "free_arguments"]


class DistributionModel(ParametricModel):
    r"""Any univariate distribution, ``target ~ distribution(arguments)``.

    Each argument of the distribution is a parameter that is estimated, a parameter that is fixed, or a formula of input
    columns with coefficients that are estimated: a regression with any error distribution.

    .. math:: \log p(y_i \mid \eta_1(x_i; \theta), \eta_2(x_i; \theta), \dots)

    Bounds come from the distribution's own constraints (a rate is above 0) and hold by ``biject_to``; narrower ones may
    be given. Integers such as ``total_count`` are fixed, or formulas of input columns alone.

    Args:
        distribution: ``torch.distributions.Gamma``, another class by its import path, or the class itself.
        parameters: for each argument its start, or a mapping with start, lower, upper, fixed, unit; nothing (null)
            where the sample's moments give a start; or a formula, as text, of the variables and coefficients.
        coefficients: for each coefficient of the formulas its start, or a mapping as above.
        variables: names of the inputs in the order of the input columns; where it is not given, the one name in the
            formulas that is no coefficient, and ``e`` and ``pi`` where columns are called so.
        dtype: precision of the parameters, ``float64`` by default.

    Shapes:
        inputs ``(n,)`` give a distribution of batch shape ``(n,)``; without formulas of inputs, of batch shape ``()``.

    Raises:
        InputError: if the class is not found or is no univariate distribution, an argument is missing or unknown, its
            constraint has no smooth transform, a formula cannot be read, a formula estimates what cannot be
            estimated (an integer, the end of a support), or a start is missing.

    Example:
        >>> model = DistributionModel("torch.distributions.Gamma", {"concentration": 2.0, "rate": 1.0})
        >>> model().mean.item()
        2.0
        >>> counts = DistributionModel(
        ...     "torch.distributions.Poisson", {"rate": "exp(a + b*x)"}, coefficients={"a": 0.0, "b": 0.0}
        ... )
        >>> counts(torch.zeros(3, dtype=torch.float64)).mean.tolist()
        [1.0, 1.0, 1.0]
    """

    def __init__(
        self,
        distribution: str | type[Distribution],
        parameters: Mapping[str, Any],
        coefficients: Mapping[str, Any] | None = None,
        variables: Sequence[str] | None = None,
        dtype: str = "float64",
    ) -> None:
        super().__init__()
        self.kind = _kind(distribution)
        self.distribution_name = self.kind.__name__
        given = dict(zip(as_names("parameters", parameters), parameters.values(), strict=True))
        weights = coefficients or {}
        weights = dict(zip(as_names("coefficients", weights), weights.values(), strict=True))
        _check_arguments(self.kind, tuple(given))
        formulas = {name: text for name, text in given.items() if _is_formula(text)}
        plain = {name: value for name, value in given.items() if name not in formulas}
        self.variables = as_names("variables", formula_variables(formulas, tuple(weights), variables))
        self._variables_given = variables is not None
        check_names(self, self.variables, (*plain, *weights))
        self._plain = tuple(plain)
        self._formulas = self._read(formulas, tuple(weights))
        self._startless: tuple[str, ...] = ()
        self._edges: dict[str, set[float]] = {}  # of each argument that is a parameter, the ends of what is allowed
        for name, value in plain.items():
            self._declare_argument(name, value, dtype_named(dtype))
        for name, value in weights.items():
            self._declare_coefficient(name, value, dtype_named(dtype))
        for name, formula in self._formulas.items():
            if not all(self.specifications[coefficient].fixed for coefficient in formula.coefficients):
                check_formula(self.kind, name)
        self.names = tuple(given)

    def _read(self, formulas: Mapping[str, str], coefficients: Sequence[str]) -> dict[str, ArgumentFormula]:
        return {name: ArgumentFormula(name, text, self.variables, coefficients) for name, text in formulas.items()}

    def take_columns(self, columns: Sequence[str]) -> None:
        """Where no variables were given: a column called ``e`` or ``pi`` that a formula names is that column."""
        formulas = {name: formula.text for name, formula in self._formulas.items()}
        coefficients = [name for name in self.specifications if name not in self._plain]
        if self._variables_given or not (meant := columns_for_constants(formulas, coefficients, columns)):
            return
        others = iter([name for name in self.variables if name not in meant])  # by their places among the other columns
        self.variables = (*(name if name in meant else next(others, name) for name in columns), *others)
        self._formulas = self._read(formulas, coefficients)

    @property
    def formulas(self) -> dict[str, str]:
        """Each argument as a formula: the text that was given, or the name of its own parameter."""
        return {name: self._formulas[name].text if name in self._formulas else name for name in self.names}

    def _declare_argument(self, name: str, value: Any, dtype: torch.dtype) -> None:
        if isinstance(value, Mapping):
            mapping = dict(value)
        else:
            mapping = {} if value is None else {"start": ParameterSpec.of(name, value).start}
        if is_integer(self.kind, name):
            if mapping.get("start") is None or float(mapping["start"]) != int(float(mapping["start"])):
                raise InputError(f"parameters.{name}: it is an integer, which is not estimated; give its value")
            self.declare(name, {**mapping, "fixed": True}, dtype)
            return
        if mapping.get("fixed") in (True, "true"):
            self.declare(name, mapping, dtype)
            return
        lower, upper = argument_bounds(self.kind, name)
        self._edges[name] = {bound for bound in (lower, upper) if bound is not None}
        if mapping.get("start") in self._edges[name]:
            raise InputError(
                f"parameters.{name}.start: {mapping['start']:g} is on the edge of what {self.kind.__name__} takes"
                f" (lower {-math.inf if lower is None else lower:g}, upper {math.inf if upper is None else upper:g});"
                " give a start between them"
            )
        for key, bound, narrower in (("lower", lower, max), ("upper", upper, min)):
            if bound is not None:
                mapping[key] = bound if mapping.get(key) is None else narrower(bound, float(mapping[key]))
        if mapping.get("start") is None:
            mapping["start"] = _inside(mapping.get("lower"), mapping.get("upper"))
            self._startless += (name,)
        self.declare(name, mapping, dtype)

    def _declare_coefficient(self, name: str, value: Any, dtype: torch.dtype) -> None:
        if not any(name in formula.coefficients for formula in self._formulas.values()):
            raise InputError(
                f"coefficients.{name}: no formula depends on it, so that no data can tell it; leave it out"
            )
        if ParameterSpec.of(name, value).start is None:
            raise InputError(f"coefficients.{name}.start: a coefficient needs one, such as 0")
        self.declare(name, value, dtype)

    def _bounded_by_user(self) -> tuple[str, ...]:
        """Those none of whose bounds is the edge of what the distribution takes: there its logarithm goes better."""
        edges, specs = self._edges, self.specifications
        return tuple(name for name in self.transforms if not edges.get(name, set()) & {*specs[name].box})

    def begin_at(self, target: Tensor) -> None:
        """Give parameters without a start one by the sample's moments.

        Args:
            target: the sample, ``(n,)``.

        Raises:
            InputError: if the moments give none.
        """
        if not self._startless:
            return
        if self._formulas:
            raise InputError(
                f"parameters.{self._startless[0]}.start: beside a formula it needs one; the moments are not its own"
            )
        given = {name: self.natural(name).item() for name in self._plain if name not in self._startless}
        starts = moment_start(self.kind, self._startless, target.detach().to(torch.float64), given)
        for name in self._startless:
            spec = self.specifications[name]
            start = _within(starts[name], spec)
            value = unconstrained_values(self, name, torch.tensor(start, dtype=torch.float64))
            getattr(self, name).data.copy_(value)
            self.specifications = {**self.specifications, name: replace(spec, start=start)}
        self._startless = ()

    def arguments(self, *inputs: Tensor) -> dict[str, Tensor]:
        """Each argument of the distribution at the inputs: ``()`` for a parameter, ``(n,)`` for a formula of inputs."""
        return self.arguments_at({}, *inputs)

    def arguments_at(
        self, parameters: Mapping[str, Tensor], *inputs: Tensor, wanted: Collection[str] | None = None
    ) -> dict[str, Tensor]:
        """Some arguments, or all, with other values of some ``nn.Parameter``s, to be differentiated by them."""
        self.check_count(inputs, "the formulas have")
        values: dict[str, Any] = {**self._parameters, **parameters}
        names = tuple(self.specifications)
        natural = [self.transforms[name](values[name]) if name in self.transforms else values[name] for name in names]
        values = dict(zip(names, broadcast_parameters(names, natural, 1), strict=True))
        return {
            name: self._formulas[name].value(inputs, values) if name in self._formulas else values[name]
            for name in self.names
            if wanted is None or name in wanted
        }

    def make(self, arguments: Mapping[str, Tensor]) -> Distribution:
        """The distribution with these arguments."""
        return made(self.kind, arguments)

    def forward(self, *inputs: Tensor) -> Distribution:
        """The distribution at the inputs."""
        return self.make(self.arguments(*inputs))

    def argument_jacobian(self, *inputs: Tensor) -> dict[str, dict[str, Tensor | float]]:
        """Derivative of each argument by each trainable ``nn.Parameter`` it depends on."""
        slopes = self._transform_slopes()
        jacobian: dict[str, dict[str, Tensor | float]] = {}
        for name in self.names:
            if name in self._formulas:
                natural = {other: self.natural(other) for other in self.specifications}
                columns = self.by_unconstrained(self._formulas[name].jacobian(inputs, natural))
                free = [other for other in columns if not self.specifications[other].fixed]
                jacobian[name] = {other: columns[other] for other in free}
            else:
                jacobian[name] = {} if self.specifications[name].fixed else {name: slopes.get(name, 1.0)}
        return jacobian

    def locally_needed(self, *inputs: Tensor) -> Collection[str]:
        """The free parameters that the kinks of the formulas do not leave out at every row."""
        free = [name for name, spec in self.specifications.items() if not spec.fixed]
        natural = {name: self.natural(name) for name in self.specifications}
        needed = {name for name in self.names if name not in self._formulas}
        for formula in self._formulas.values():
            needed |= set(formula.locally_needed(inputs, natural, free))
        return needed

    def bent_arguments(self) -> frozenset[str]:
        """The arguments that are not linear in the trainable ``nn.Parameter``s: by a formula, or by a transform."""
        free = {name for name, spec in self.specifications.items() if not spec.fixed}
        bent = set()
        for name in self.names:
            formula = self._formulas.get(name)
            moving = [other for other in (formula.coefficients if formula else (name,)) if other in free]
            if any(other in self.transforms for other in moving) or (formula and not formula.is_linear(moving)):
                bent.add(name)
        return frozenset(bent)

    def jacobian(self, *inputs: Tensor) -> dict[str, Tensor | float]:
        """Not defined: a distribution has several arguments, see ``argument_jacobian``.

        Raises:
            InputError: always.
        """
        raise InputError(
            f"model: {self.distribution_name} is a distribution, not a prediction; give it to MaximumLikelihood"
        )


def free_arguments(model: nn.Module) -> tuple[str, ...]:
    """The arguments of a ``DistributionModel`` that depend on a trainable parameter; none of any other model."""
    if not isinstance(model, DistributionModel):
        return ()
    free = {name for name, spec in model.specifications.items() if not spec.fixed}
    formulas = model._formulas
    return tuple(
        name for name in model.names if free & set(formulas[name].coefficients if name in formulas else (name,))
    )


def _kind(given: str | type[Distribution]) -> type[Distribution]:
    kind = imported("distribution", given, "torch.distributions.Gamma") if isinstance(given, str) else given
    if not (isinstance(kind, type) and issubclass(kind, Distribution)):
        raise InputError(f"distribution: {given} is no class of torch.distributions.Distribution")
    return kind


def _is_formula(value: Any) -> bool:
    if not isinstance(value, str) or value == "None":
        return False
    try:
        float(value)
    except ValueError:
        return True
    return False


def _check_arguments(kind: type[Distribution], given: tuple[str, ...]) -> None:
    """Refuse arguments that the distribution does not have, or lacks."""
    parameters = inspect.signature(kind).parameters
    takes = [name for name in parameters if name != "validate_args"]
    for name in given:
        if name not in takes:
            raise InputError(f"parameters.{name}: {kind.__name__} has no such argument; it takes {', '.join(takes)}")
    for name in takes:
        if parameters[name].default is inspect.Parameter.empty and name not in given:
            raise InputError(f"parameters: {kind.__name__} needs {name}; give its start, a fixed value or a formula")
    if {"probs", "logits"} <= set(takes) and len({"probs", "logits"} & set(given)) != 1:
        raise InputError(f"parameters: {kind.__name__} takes either probs or logits")


def _inside(lower: Any, upper: Any) -> float:
    """Some number between the bounds, to begin with until the sample is known."""
    if lower is not None and upper is not None:
        return (float(lower) + float(upper)) / 2
    if lower is not None:
        return float(lower) + 1.0
    return 0.0 if upper is None else float(upper) - 1.0


def _within(start: float, spec: ParameterSpec) -> float:
    """The start, moved between narrower bounds of the user's."""
    lower = -math.inf if spec.lower is None else spec.lower
    upper = math.inf if spec.upper is None else spec.upper
    return start if lower < start < upper else _inside(spec.lower, spec.upper)
