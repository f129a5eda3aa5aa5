"""What a result was made of: kept with it in memory, and described in plain data in its file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import torch
from torch import nn
from torch.distributions import Distribution, Normal

from paramfit.data.columns import DescribedData
from paramfit.errors import InputError
from paramfit.inference.bands import FittedCurve, FittedMean
from paramfit.models import (
    DistributionModel,
    FormulaModel,
    GaussianModel,
    LinearModel,
    ParametricModel,
    PolynomialModel,
)
from paramfit.models.base import leave_bounds_to_solver
from paramfit.objectives import Objective
from paramfit.observations import Observations
from paramfit.results.fingerprint import Fingerprint
from paramfit.results.json_form import to_plain

__all__ = [
    "ONLY_FORMULAS",
    "BandRoot",
    "ModelDescription",
    "ObjectiveDescription",
    "Origin",
    "ParameterDescription",
    "Provenance",
    "describe_model",
    "describe_objective",
    "describe_parameters",
]


AS_VALUE = "value"  # a solver keeps the bounds
AS_UNCONSTRAINED = "unconstrained number"  # a transform keeps them
ONLY_FORMULAS = "only formulas can be read again; keep the result of fit, or predict by paramfit predict --ckpt_path"


@dataclass(frozen=True)
class ParameterDescription:
    """What gives a model's number a meaning.

    Attributes:
        fixed: its value, where it is not estimated.
        lower: its bound.
        upper: likewise.
        encoding: what its ``nn.Parameter`` holds where it has bounds: the value, or an unconstrained number.
    """

    fixed: float | None = None
    lower: float | None = None
    upper: float | None = None
    encoding: str | None = None


@dataclass(frozen=True)
class ModelDescription:
    """A model in plain data: its class, and where formulas say it all, those.

    Attributes:
        path: of the class; ``class`` in files.
        formula: of a ``FormulaModel``, ``LinearModel`` or ``PolynomialModel``.
        distribution: path of the distribution's class, of a ``DistributionModel`` or ``GaussianModel``.
        formulas: one for each argument of the distribution.
        variables: names of the inputs in the formulas.
        parameters: of the formulas; None where there are none.
    """

    path: str = field(metadata={"key": "class"})
    formula: str | None = None
    distribution: str | None = None
    formulas: Mapping[str, str] | None = None
    variables: tuple[str, ...] = ()
    parameters: Mapping[str, ParameterDescription] | None = None

    @property
    def is_written(self) -> bool:
        """Whether formulas say all of it."""
        return self.parameters is not None

    def as_plain(self) -> dict[str, Any]:
        """With the keys alone that say something of this model."""
        plain: dict[str, Any] = to_plain(self)
        return {key: entry for key, entry in plain.items() if key == "class" or (self.is_written and entry is not None)}

    def model(self, theta: Mapping[str, float]) -> nn.Module:
        """The model itself, in float64.

        Args:
            theta: for each estimated ``nn.Parameter`` its number, in its encoding.

        Raises:
            InputError: if formulas do not say all of it, or cannot be read.
        """
        described = self._described()
        made = self._made(
            {
                name: {"lower": spec.lower, "upper": spec.upper}
                if spec.fixed is None
                else {"start": spec.fixed, "fixed": True}
                for name, spec in described.items()
            }
        )
        if any(spec.encoding == AS_VALUE for spec in described.values()):
            leave_bounds_to_solver(made)
        with torch.no_grad():
            for name, parameter in made.named_parameters():
                if parameter.requires_grad:
                    parameter.fill_(theta[name])
        return made.double().eval()

    def at(self, estimates: Mapping[str, float]) -> nn.Module:
        """The model with every parameter fixed, in float64: neither bounds nor encodings matter.

        Args:
            estimates: for each parameter that was estimated its value, within its bounds.

        Raises:
            InputError: if formulas do not say all of it, or cannot be read, or an estimate is missing.
        """
        described = self._described()
        for name, spec in described.items():
            if spec.fixed is None and name not in estimates:
                raise InputError(f"the result has no parameters.{name}; fit again")
        values = {name: estimates[name] if spec.fixed is None else spec.fixed for name, spec in described.items()}
        return self._made({name: {"start": value, "fixed": True} for name, value in values.items()}).double().eval()

    def _described(self) -> Mapping[str, ParameterDescription]:
        """The parameters of the formulas, where they say all of the model."""
        if self.parameters is None:
            raise InputError(f"the file does not hold the model {self.path}, {ONLY_FORMULAS}")
        return self.parameters

    def _made(self, parameters: Mapping[str, Mapping[str, float | bool | None]]) -> ParametricModel:
        """The model of the formulas, with these for its parameters."""
        if self.formula is None:
            return self._distribution(parameters)
        begun = {name: {**spec, "start": spec.get("start", _inside(spec))} for name, spec in parameters.items()}
        return FormulaModel(self.formula, self.variables, begun)

    def _distribution(self, parameters: Mapping[str, Mapping[str, float | bool | None]]) -> ParametricModel:
        package, _, name = (self.distribution or "").rpartition(".")
        # A file must not say what is imported.
        if package.partition(".")[0] not in {"torch", "paramfit"} or self.formulas is None:
            raise InputError(f"the file does not hold the distribution {self.distribution}, {ONLY_FORMULAS}")
        path = f"torch.distributions.{name}" if package.startswith("torch.") else f"{package}.{name}"
        arguments = {
            argument: {
                **parameters[argument],
                "start": parameters[argument].get("start", _inside(parameters[argument])),
            }
            if formula == argument
            else formula
            for argument, formula in self.formulas.items()
        }
        coefficients = {
            name: {**spec, "start": spec.get("start", _inside(spec))}
            for name, spec in parameters.items()
            if self.formulas.get(name) != name
        }
        return DistributionModel(path, arguments, coefficients=coefficients or None, variables=self.variables or None)


@dataclass(frozen=True)
class ObjectiveDescription:
    """An objective in plain data.

    Attributes:
        name: of its class; ``class`` in files.
        penalised: whether a penalty was on.
    """

    name: str = field(metadata={"key": "class"})
    penalised: bool = False


@dataclass(frozen=True)
class BandRoot:
    """What the bands of a curve that formulas say rest on; see ``FittedCurve``.

    Attributes:
        theta: the ``nn.Parameter``s that were estimated.
        root: F with ``F F^T`` their covariance, one row for each.
        quantile: half-width of a 95 % interval in standard errors.
        noise: of a new observation.
        weighted: whether the fit had a sigma.
        of_mean: whether the curve is the mean of a distribution.
    """

    theta: Mapping[str, float]
    root: tuple[tuple[float, ...], ...]
    quantile: float
    noise: float | None
    weighted: bool
    of_mean: bool


@dataclass(frozen=True)
class Provenance:
    """What a file tells of a fit's data, model and objective.

    Attributes:
        fingerprint: of the columns that trained.
        model: in plain data.
        objective: in plain data.
        bands: of the fitted curve, where formulas say all of the model and its parameters have errors.
    """

    fingerprint: Fingerprint
    model: ModelDescription
    objective: ObjectiveDescription
    bands: BandRoot | None = None

    @property
    def provenance(self) -> "Provenance":
        """Itself, as an ``Origin`` tells its own."""
        return self

    @cached_property
    def curve(self) -> FittedCurve | None:
        """The fitted curve with its bands, made again from its formulas.

        Raises:
            InputError: if a formula cannot be read, or is not of the kind that the bands are.
        """
        bands = self.bands
        if bands is None:
            return None
        root = torch.tensor(bands.root, dtype=torch.float64).reshape(len(bands.theta), -1)
        kind = FittedMean if bands.of_mean else FittedCurve
        model = self.model.model(bands.theta)
        if bands.of_mean != isinstance(model, DistributionModel):
            raise InputError(f"the file says {bands.of_mean} for bands.of_mean, which its model cannot be")
        return kind(model, root @ root.T, bands.quantile, bands.noise, "", weighted=bands.weighted, factor=root)


@dataclass(frozen=True, eq=False)
class Origin:
    """What a result was made of, in memory.

    Attributes:
        model: at the estimates; float64, on the CPU, in evaluation mode, and no other's to change.
        objective: what was minimised.
        observations: that trained, raw (not normalised), in the order of the table.
        curve: the fitted curve with its bands, where the parameters have errors.
        data: gives all rows with their names, for figures.
    """

    model: nn.Module
    objective: Objective
    observations: Observations
    curve: FittedCurve | None = None
    data: Callable[[], DescribedData] | None = None

    @cached_property
    def provenance(self) -> Provenance:
        """The same in plain data."""
        described = describe_model(self.model)
        return Provenance(
            Fingerprint.of(self.observations),
            described,
            describe_objective(self.objective),
            _band_root(self.curve) if described.is_written and self.curve is not None else None,
        )


@runtime_checkable
class _Distributed(Protocol):
    """A model that is a distribution with a formula for each argument: ``DistributionModel``."""

    kind: type[Distribution]
    variables: tuple[str, ...]

    @property
    def formulas(self) -> Mapping[str, str]: ...


def describe_model(model: nn.Module) -> ModelDescription:
    """A model in plain data: its class, and where formulas say it all, those."""
    path = _path(type(model))
    if not isinstance(model, ParametricModel) or any(parameter.ndim for parameter in model.parameters()):
        return ModelDescription(path)
    parameters = describe_parameters(model)
    # Of exact types, since a subclass may compute anything.
    if type(model) is FormulaModel:
        return ModelDescription(path, model.formula, variables=tuple(model.variables), parameters=parameters)
    if type(model) is LinearModel:
        return ModelDescription(path, "weight * x + bias", variables=("x",), parameters=parameters)
    if type(model) is PolynomialModel:
        powers = ("", " * x", *(f" * x**{power}" for power in range(2, model.degree + 1)))
        formula = " + ".join(f"{name}{power}" for name, power in zip(model.names, powers, strict=False))
        return ModelDescription(path, formula, variables=("x",) if model.degree else (), parameters=parameters)
    if type(model) is GaussianModel:
        scale = ParameterDescription(fixed=model.scale.item())
        return ModelDescription(
            path,
            distribution=_path(Normal),
            formulas={"loc": "location", "scale": "scale"},
            parameters={**parameters, "scale": scale},
        )
    if isinstance(model, _Distributed):
        return ModelDescription(
            path,
            distribution=_path(model.kind),
            formulas=dict(model.formulas),
            variables=tuple(model.variables),
            parameters=parameters,
        )
    return ModelDescription(path)


def describe_parameters(model: ParametricModel) -> dict[str, ParameterDescription]:
    """For each parameter its value where it is fixed, and its bounds."""
    return {
        name: ParameterDescription(
            fixed=spec.start if spec.fixed else None,
            lower=spec.lower if spec.bounded else None,
            upper=spec.upper if spec.bounded else None,
            encoding=(AS_VALUE if name in model.boxes else AS_UNCONSTRAINED) if spec.bounded else None,
        )
        for name, spec in model.specifications.items()
    }


def describe_objective(objective: Objective) -> ObjectiveDescription:
    """An objective in plain data."""
    return ObjectiveDescription(type(objective).__name__, objective.penalised)


def _band_root(curve: FittedCurve) -> BandRoot:
    theta = {name: value.item() for name, value in curve.model.named_parameters() if value.requires_grad}
    rows: list[list[float]] = curve.root.tolist()
    of_mean = isinstance(curve, FittedMean)
    return BandRoot(theta, tuple(map(tuple, rows)), curve.quantile, curve.noise, curve.weighted, of_mean)


def _inside(bounds: Mapping[str, float | bool | None]) -> float:
    """Any number between two bounds: the estimate takes its place."""
    lower, upper = bounds.get("lower"), bounds.get("upper")
    if lower is not None and upper is not None:
        return (lower + upper) / 2
    if lower is not None:
        return lower + 1.0
    return 0.0 if upper is None else upper - 1.0


def _path(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
