"""From a model and a batch of observations to the rows that least squares sums up."""

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, jacfwd

from paramfit.errors import InputError
from paramfit.models import ParametricModel
from paramfit.objectives import Objective, RobustError, SquaredError
from paramfit.observations import Observations
from paramfit.solvers.residual_sums import Layout, ResidualSums

__all__ = ["ResidualRows"]

_ROWS_AT_ONCE = 1 << 15  # fits into a processor's cache, and is too little for torch to wait for threads
_LEAST_WEIGHT = 0.2  # of a row whose own curvature is less: a step that trusts it less runs away from far starts


class ResidualRows:
    r"""The rows ``[J, e]`` of a model's least-squares problem, or ``[Phi, slopes, e]`` where it can be separated.

    The Jacobian is the model's own (``jacobian(*inputs)``) or, where it has none, that of ``torch.func``. Under plain
    squared error, a model that knows parameters in which it is linear is taken apart (``separated``), so that they are
    solved for exactly. With known errors every row is divided by its sigma; under a robust objective rows are scaled
    such that ``J^T e`` is the gradient and ``J^T J`` close to the curvature.

    Args:
        model: float64; its trainable parameters are theta.
        objective: ``SquaredError`` or a ``RobustError``, without penalty.
        separate: whether to take apart what can be.

    Raises:
        InputError: for another objective, or a penalty.

    References:
        Bill Triggs and others: Bundle Adjustment, a Modern Synthesis (2000), section 4.3, for robust objectives.
    """

    def __init__(self, model: nn.Module, objective: Objective, *, separate: bool = True) -> None:
        if not isinstance(objective, SquaredError | RobustError):
            msg = (
                f"objective: least squares minimises squared residuals, not {type(objective).__name__}; give"
                " SquaredError, HuberError, SoftL1Error or CauchyError, or use Regression"
            )
            raise InputError(msg)
        if objective.penalised:
            msg = "objective: a penalty (l1, l2) biases the estimates, and least squares has none; use Regression"
            raise InputError(msg)
        self.model = model
        self.objective = objective
        trainable = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
        self.shapes = {name: parameter.shape for name, parameter in trainable}
        if not self.shapes:
            msg = f"model: {type(model).__name__} has no trainable parameter, so there is nothing to estimate"
            raise InputError(msg)
        self._names = tuple(self.shapes)
        self.layout = self._make_layout(separate)

    def _make_layout(self, separate: bool) -> Layout:
        model = self.model
        linear: tuple[str, ...] = ()
        if separate and isinstance(model, ParametricModel) and isinstance(self.objective, SquaredError):
            linear = tuple(name for name in self._names if name in model.linear_parameters())
        self._linear = linear
        self._nonlinear = tuple(name for name in self._names if name not in linear)
        bounds = self._bounds()
        if not linear:
            return Layout.plain(sum(shape.numel() for shape in self.shapes.values()), bounds)
        assert isinstance(model, ParametricModel)
        # The model tells at the first batch which slopes there are.
        return Layout(
            tuple(self._names.index(name) for name in linear),
            tuple(self._names.index(name) for name in self._nonlinear),
            (),
            bounds,
        )

    def _bounds(self) -> tuple[int, ...]:
        """How many bounds each nonlinear parameter has."""
        model = self.model
        if not isinstance(model, ParametricModel) or not model.transforms:
            return ()
        specs = [model.specifications[name] for name in self._nonlinear]
        return tuple(spec.bounded * ((spec.lower is not None) + (spec.upper is not None)) for spec in specs)

    def sums(self, observations: Observations, into: ResidualSums | None = None) -> ResidualSums:
        """Sum up the rows of a batch at the model's present parameters.

        Args:
            observations: one batch.
            into: earlier sums, which these rows are added to.
        """
        if observations.censoring is not None:
            self.objective.losses(None, *observations.measured)  # which says why not
        found = into
        for part in _pieces(observations):
            columns, total = self._separated(part) if self._linear else self._joint(part)
            found = (ResidualSums(self.layout) if found is None else found).add(columns, total)
        assert found is not None  # a batch has a row
        return found

    def sums_with_residual(self, observations: Observations) -> tuple[ResidualSums, Tensor]:
        """The sums of all rows, and the residual (over sigma) of each, ``(n,)``, where no row is taken apart."""
        parts = [self._joint(part)[0] for part in _pieces(observations)]
        found = ResidualSums(self.layout)
        for part in parts:
            found.add(part)
        return found, parts[0][-1] if len(parts) == 1 else torch.cat([part[-1] for part in parts])

    def sums_checked(self, observations: Observations, into: ResidualSums | None = None) -> ResidualSums:
        """The sums at the start: they are finite, and know how long the target is.

        Raises:
            InputError: naming the row at which they are not.
        """
        found = self.sums(observations, into)
        if not found.is_finite():
            self._refuse_start(observations)
        target = observations.target if observations.sigma is None else observations.target / observations.sigma
        found.target += target.square().sum().item()
        return found

    def check_count(self, n: int) -> None:
        """Refuse fewer observations than parameters.

        Raises:
            InputError: with both numbers.
        """
        count = sum(shape.numel() for shape in self.shapes.values())
        if n < count:
            msg = (
                f"data: {n} observation{'s' * (n != 1)} cannot determine {count} parameters; give more rows, or fix"
                " some parameters"
            )
            raise InputError(msg)

    @torch.no_grad()
    def _refuse_start(self, observations: Observations) -> None:
        """Name the first row at which the prediction or a derivative is not finite."""
        columns = (self._separated(observations) if self._linear else self._joint(observations))[0]
        bad = (~torch.isfinite(columns).all(dim=0)).nonzero().flatten()
        if len(bad):
            row = int(bad[0])
            at = ", ".join(f"{column[row].item():g}" for column in observations.inputs) or "no input"
            msg = (
                f"model: the prediction or its derivative is not finite at the start for {len(bad)} of {observations.n}"
                f" observations, first in row {row} (input {at}); give other starts, bounds that keep it"
                " finite, or leave such rows out"
            )
            raise InputError(msg)

    def slope(self, observations: Observations) -> Tensor:
        """``J^T e`` at the present parameters, ``(p,)``, summed in the longest floating-point type."""
        columns, _ = self._joint(observations)
        rows = columns.cpu().numpy().astype(np.longdouble)
        return torch.from_numpy((rows[:-1] * rows[-1]).sum(axis=1).astype(np.float64))

    def _separated(self, part: Observations) -> tuple[Tensor, None]:
        model = self.model
        assert isinstance(model, ParametricModel)
        apart = model.separated(*part.inputs)
        slopes: list[tuple[tuple[str | None, str], Tensor | float]] = [
            ((None, name), column) for name, column in apart.offset_slopes.items()
        ]
        slopes += [(pair, column) for pair, column in apart.basis_slopes.items()]
        if not self.layout.slopes and slopes:
            numbers = {name: number for number, name in enumerate(self._nonlinear)}
            places = {name: number for number, name in enumerate(self._linear)}
            self.layout = Layout(
                self.layout.linear,
                self.layout.nonlinear,
                tuple((None if j is None else places[j], numbers[k]) for (j, k), _ in slopes),
                self.layout.bounds,
            )
        columns = [*(apart.basis[name] for name in self._linear), *(column for _, column in slopes)]
        return _stacked([*columns, part.target - apart.offset], part), None

    def _joint(self, part: Observations) -> tuple[Tensor, Tensor | None]:
        prediction, columns = self._linearized(part)
        stacked = _stacked([*columns, part.target - prediction], part)
        if not isinstance(self.objective, RobustError):
            return stacked, None
        scale = self.objective.scale
        z = (stacked[-1] / scale).square()
        rho, first, second = self.objective.rho(z)
        curvature = (first + 2 * second * z).clamp_min(_LEAST_WEIGHT * first).sqrt()
        stacked[:-1] *= curvature
        stacked[-1] *= first / curvature
        return stacked, scale**2 * rho.sum()

    def _linearized(self, part: Observations) -> tuple[Tensor, list[Tensor | float]]:
        """The prediction, and its derivative by each element of theta."""
        if isinstance(self.model, ParametricModel):
            prediction, columns = self.model.value_and_jacobian(*part.inputs)
            return self._checked(prediction), [columns[name] for name in self._names]
        prediction = self._checked(self.model(*part.inputs))
        jacobian = getattr(self.model, "jacobian", None)
        if callable(jacobian):
            columns = jacobian(*part.inputs)
            return prediction, [columns[name] for name in self._names]
        return prediction, self._derivatives(part)

    def _checked(self, prediction: object) -> Tensor:
        if not isinstance(prediction, Tensor):
            msg = f"model: least squares needs a prediction, but {type(self.model).__name__} returned a distribution"
            raise InputError(msg)
        return prediction

    def _derivatives(self, part: Observations) -> list[Tensor | float]:
        """By ``torch.func``, for a model that does not know its own."""
        parameters = {name: value for name, value in self.model.named_parameters() if value.requires_grad}

        def predicted(values: dict[str, Tensor]) -> Tensor:
            found: Tensor = functional_call(self.model, values, part.inputs)
            return found

        derivatives = jacfwd(predicted)(parameters)
        found: list[Tensor | float] = []
        for name in self._names:
            found += derivatives[name].reshape(part.n, -1).T.unbind()
        return found


def _pieces(observations: Observations) -> Iterable[Observations]:
    """The observations, few enough at once."""
    if observations.n <= _ROWS_AT_ONCE:
        return (observations,)
    starts = range(0, observations.n, _ROWS_AT_ONCE)
    return (observations.rows(slice(start, start + _ROWS_AT_ONCE)) for start in starts)


def _stacked(columns: list[Tensor | float], part: Observations) -> Tensor:
    """The columns ``(w, n)``, over sigma where it is known."""
    target = part.target
    if target.device.type == "cpu":  # where NumPy is much quicker with few rows, and no slower with many
        buffer = np.empty((len(columns), part.n))
        for place, column in enumerate(columns):
            buffer[place] = column.detach().numpy() if isinstance(column, Tensor) else column
        if part.sigma is not None:
            with np.errstate(over="ignore", invalid="ignore"):  # a trial may be anywhere
                buffer /= part.sigma.numpy()
        return torch.from_numpy(buffer)
    full = [
        column.expand(target.shape) if isinstance(column, Tensor) else torch.full_like(target, column)
        for column in columns
    ]
    stacked = torch.stack(full)
    return stacked if part.sigma is None else stacked / part.sigma
