"""What a result was made of, and how that is written."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

from torch import nn
from torch.distributions import Distribution

from paramfit.models import FormulaModel, LinearModel, ParametricModel, PolynomialModel
from paramfit.objectives import Objective
from paramfit.observations import Observations

__all__ = ["Origin", "describe_model", "describe_objective", "describe_parameters"]


class Origin(NamedTuple):
    """What a result was made of; kept with it in memory, and described in its file.

    Attributes:
        model: at the estimates.
        objective: what was minimised.
        observations: that trained, raw (not normalised), in the order of the table.
    """

    model: nn.Module
    objective: Objective
    observations: Observations


@runtime_checkable
class _Distributed(Protocol):
    """A model that is a distribution with a formula for each argument: ``DistributionModel``."""

    kind: type[Distribution]
    variables: Sequence[str]

    @property
    def formulas(self) -> Mapping[str, str]: ...


def describe_model(model: nn.Module) -> dict[str, Any]:
    """A model in plain data: its class, and where formulas say it all, those.

    Returns:
        ``class``, the path of the class. For a model that is a formula (``FormulaModel``, ``LinearModel``,
        ``PolynomialModel``) also ``formula``; for a ``DistributionModel`` also ``distribution``, the path of its class,
        and ``formulas``, one for each argument. For both ``variables``, and ``parameters``: for each name its value
        where it is ``fixed``, and its bounds ``lower`` and ``upper``.
    """
    described: dict[str, Any] = {"class": _path(type(model))}
    written = _written(model)
    if written is None or not isinstance(model, ParametricModel) or any(found.ndim for found in model.parameters()):
        return described
    return {**described, **written, "parameters": describe_parameters(model)}


def describe_parameters(model: ParametricModel) -> dict[str, dict[str, float | None]]:
    """What gives a model's numbers a meaning: for each name its value where it is ``fixed``, and its bounds."""
    return {
        name: {
            "fixed": spec.start if spec.fixed else None,
            "lower": spec.lower if spec.bounded else None,
            "upper": spec.upper if spec.bounded else None,
        }
        for name, spec in model.specifications.items()
    }


def describe_objective(objective: Objective) -> dict[str, Any]:
    """An objective in plain data: its ``class``, and whether it was ``penalised``."""
    return {"class": type(objective).__name__, "penalised": objective.penalised}


def _written(model: nn.Module) -> dict[str, Any] | None:
    """Formulas and variables; of exact types, since a subclass may compute anything."""
    if type(model) is FormulaModel:
        return {"formula": model.formula, "variables": list(model.variables)}
    if type(model) is LinearModel:
        return {"formula": "weight * x + bias", "variables": ["x"]}
    if type(model) is PolynomialModel:
        powers = ("", " * x", *(f" * x**{power}" for power in range(2, model.degree + 1)))
        terms = [f"{name}{power}" for name, power in zip(model.names, powers, strict=False)]
        return {"formula": " + ".join(terms), "variables": ["x"] if model.degree else []}
    if isinstance(model, _Distributed):
        return {
            "distribution": _path(model.kind),
            "formulas": dict(model.formulas),
            "variables": list(model.variables),
        }
    return None


def _path(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
