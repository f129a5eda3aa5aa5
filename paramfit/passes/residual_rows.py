"""From a model and a batch of observations to the rows that least squares sums up."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce
from operator import add
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.func import functional_call, jacfwd

from paramfit.errors import InputError
from paramfit.formulas.evaluation import LeftUnmended
from paramfit.linalg.lapack import LARGEST_TO_SQUARE, Array, all_finite, unit_of
from paramfit.models import FormulaModel, ParametricModel
from paramfit.models.base import boxes_of, trainable_parameters
from paramfit.models.rowwise_derivatives import RowwiseDerivatives
from paramfit.objectives import Objective, RobustError, SquaredError
from paramfit.observations import Observations
from paramfit.passes.base import Pass, inputs_at, pieces
from paramfit.solvers.sums import Layout, ResidualSums

__all__ = ["ResidualRows"]

_LEAST_WITH_ALL_DIGITS = 1e-300  # its 2^-52nd part, the rounding of a residual, is just above the smallest number
_MOST_NAMED = 10  # parameters and inputs in one line
_FEW_ROWS = 64  # for which as many walks backwards at once take less time than forward mode
_LEAST_WEIGHT = 0.2  # of a row whose own curvature is less: a step that trusts it less runs away from far starts


class ResidualRows(Pass[ResidualSums]):
    r"""The rows ``[J, e]`` of a float64 model's least squares, or ``[Phi, slopes, e]`` where it can be separated.

    The Jacobian is the model's own (``jacobian(*inputs)``) or, where it has none, that of ``torch.func``. Under plain
    squared error, a model that knows parameters in which it is linear is taken apart (``separated``), so that they are
    solved for exactly, unless ``separate`` is False. With known errors every row is divided by its sigma; under a
    robust objective rows are scaled such that ``J^T e`` is the gradient and ``J^T J`` close to the curvature.

    Raises:
        InputError: for another objective, or a penalty.

    References:
        Bill Triggs and others: Bundle Adjustment, a Modern Synthesis (2000), section 4.3, for robust objectives.
    """

    subject = "the prediction or its derivative"
    remedy = "give other starts, bounds that keep it finite, or leave such rows out"

    def __init__(self, model: nn.Module, objective: Objective, *, separate: bool = True) -> None:
        if not isinstance(objective, SquaredError | RobustError):
            raise InputError(
                f"objective: least squares minimises squared residuals, not {type(objective).__name__}; give"
                " SquaredError, HuberError, SoftL1Error or CauchyError, or use Regression"
            )
        if objective.penalised:
            raise InputError(
                "objective: a penalty (l1, l2) biases the estimates, and least squares has none; use Regression"
            )
        super().__init__(model, objective)
        self._parametric = model if isinstance(model, ParametricModel) else None
        self._names = tuple(self.shapes)
        self._rowwise = RowwiseDerivatives()
        self.layout = self._make_layout(separate)

    def _make_layout(self, separate: bool) -> Layout:
        model = self._parametric
        linear: tuple[str, ...] = ()
        if separate and model is not None and isinstance(self.objective, SquaredError):
            linear = tuple(name for name in self._names if name in model.linear_parameters())
        self._linear = linear
        self._nonlinear = tuple(name for name in self._names if name not in linear)
        boxes = boxes_of(self.model, self._names)
        if not linear:
            return Layout.plain(self.p, boxes)
        # The model tells at the first batch which slopes there are.
        places, others = (tuple(map(self._names.index, names)) for names in (linear, self._nonlinear))
        return Layout(places, others, (), boxes)

    def at_start(self, observations: Observations, *, expected: bool = False) -> ResidualSums:
        """The sums at the start, finite as those of every pass, which know how long the target is."""
        size = _size_of_target(observations)
        sums = super().at_start(observations, expected=expected).changed(target=size)
        if not sums.factor[:, :-1].any():
            raise InputError(
                f"model: at the start no prediction changes with any parameter{self._looked_at(observations)}, so that"
                f" no step leads on; {self._usable_start(observations)}"
            )
        if np.abs(sums.factor[:, -1]).max() / unit_of(size) > LARGEST_TO_SQUARE:  # the solver divides by the unit
            raise InputError(
                "model: the prediction at the start is finite, but so large that the square of its residual overflows"
                f" ({self._largest_residual(observations)}); {self._usable_start(observations)}"
            )
        return sums

    def _looked_at(self, observations: Observations) -> str:
        """Which parameters there are, and the ranges of the inputs, where they are few."""
        ranges = [
            f"{self._input_name(number)} from {column.min().item():.4g} to {column.max().item():.4g}"
            for number, column in enumerate(observations.inputs)
        ]
        listed = "; ".join([", ".join(self._names), *ranges])
        return f" ({listed})" if len(self._names) + len(ranges) <= _MOST_NAMED else ""

    @torch.no_grad()
    def _largest_residual(self, observations: Observations) -> str:
        columns, _ = self._separated(observations) if self._linear else self._joint(observations)
        row = int(columns[-1].abs().argmax())
        return f"{columns[-1, row].abs().item():.3g} in row {row}, input {inputs_at(observations, row)}"

    def _input_name(self, number: int) -> str:
        names = getattr(self.model, "variables", ())
        return names[number] if number < len(names) else f"input {number + 1}"

    @torch.no_grad()
    def _usable_start(self, observations: Observations) -> str:
        """Where exponents are of order 1, if it is an exponential of the formula that is too large or too small."""
        exponents = self.model.large_exponents(*observations.inputs) if isinstance(self.model, FormulaModel) else []
        if not exponents:
            return "give other starts"
        return "; ".join(
            f"the argument of an exponential is as large as {exponent.largest:.4g}, since {exponent.parameter}"
            f" {'divides' if exponent.divides else 'multiplies'} {exponent.variable} in it and {exponent.variable}"
            f" reaches {exponent.reach:.4g}: start {exponent.parameter} near {exponent.start:.1g}, where it is of order"
            " 1"
            for exponent in exponents
        )

    def sums_with_residual(self, observations: Observations) -> tuple[ResidualSums, Tensor]:
        """The sums of all rows, and the residual (over sigma) of each, ``(n,)``, where no row is taken apart."""
        with LeftUnmended():
            parts, sums = self._joint_parts(observations)
        if not sums.is_finite():
            parts, sums = self._joint_parts(observations)
        return sums, parts[0][-1] if len(parts) == 1 else torch.cat([part[-1] for part in parts])

    def _joint_parts(self, observations: Observations) -> tuple[list[Tensor], ResidualSums]:
        parts = [self._joint(piece)[0] for piece in pieces(observations)]
        return parts, reduce(add, [ResidualSums.of(self.layout, part) for part in parts])

    def check_count(self, n: int) -> None:
        """Raise an InputError with both numbers, for fewer observations than parameters."""
        if n < self.p:
            raise InputError(
                f"data: {n} observation{'s' * (n != 1)} cannot determine {self.p} parameters; give more rows, or fix"
                " some parameters"
            )

    def _sums(self, piece: Observations, *, expected: bool) -> ResidualSums:
        del expected  # Gauss and Newton's matrix is the expected curvature
        if piece.censoring is not None:
            self.objective.losses(None, *piece.measured)  # which says why not
        with LeftUnmended():
            sums = self._summed(piece)
        return sums if sums.is_finite() else self._summed(piece)

    def _summed(self, piece: Observations) -> ResidualSums:
        columns, total = self._separated(piece) if self._linear else self._joint(piece)
        return ResidualSums.of(self.layout, columns, total, getattr(self.objective, "scale", 1.0))

    def _is_finite(self, observations: Observations) -> Tensor:
        columns, _ = self._separated(observations) if self._linear else self._joint(observations)
        return torch.isfinite(columns).all(dim=0)

    def _subject_at(self, row: Observations) -> str:
        prediction, columns = self._linearized(row)
        if not bool(torch.isfinite(prediction).all()):
            return "the prediction"
        if len(columns) != len(self._names):  # of tensors with several elements each
            return self.subject
        named = zip(self._names, columns, strict=True)
        by = [name for name, column in named if not bool(torch.isfinite(torch.as_tensor(column)).all())]
        if not by:
            return self.subject
        return f"the prediction, {prediction.reshape(-1)[0].item():g}, is finite, but its derivative by {by[0]}"

    def slope(self, observations: Observations, unit: float = 1.0) -> Array:
        """``J^T e`` at the present parameters, ``(p,)``, rows over the unit, in the longest floating-point type."""
        with LeftUnmended():
            uphill = self._uphill(observations, unit)
        return uphill if all_finite(uphill) else self._uphill(observations, unit)

    def _uphill(self, observations: Observations, unit: float) -> Array:
        columns, _ = self._joint(observations)
        rows = (columns if columns.is_cpu else columns.cpu()).numpy().astype(np.longdouble)
        if unit != 1.0:
            rows /= unit
        uphill: Array = (rows[:-1] @ rows[-1]).astype(np.float64)
        return uphill

    def _separated(self, part: Observations) -> tuple[Tensor, None]:
        assert self._parametric is not None
        apart = self._parametric.separated(*part.inputs)
        slopes: list[tuple[tuple[str | None, str], Tensor | float]] = [
            ((None, name), column) for name, column in apart.offset_slopes.items()
        ]
        slopes += [(pair, column) for pair, column in apart.basis_slopes.items()]
        if not self.layout.slopes and slopes:
            numbers = {name: number for number, name in enumerate(self._nonlinear)}
            places = {name: number for number, name in enumerate(self._linear)}
            belonging = tuple((None if j is None else places[j], numbers[k]) for (j, k), _ in slopes)
            self.layout = replace(self.layout, slopes=belonging)
        columns = [*(apart.basis[name] for name in self._linear), *(column for _, column in slopes)]
        return _stacked([*columns, part.target - apart.offset], part), None

    def _joint(self, part: Observations) -> tuple[Tensor, Tensor | None]:
        prediction, columns = self._linearized(part)
        stacked = _stacked([*columns, part.target - prediction], part)
        if not isinstance(self.objective, RobustError):
            return stacked, None
        scale = self.objective.scale
        z = (stacked[-1] / scale).square()
        rho, first, second = self._checked_rho(z)
        curvature = (first + 2 * second * z).clamp_min(_LEAST_WEIGHT * first).sqrt()
        stacked[:-1] *= curvature
        stacked[-1] *= first / curvature
        return stacked, rho.sum()

    def _checked_rho(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What a robust objective gives: three rows as long as z."""
        assert isinstance(self.objective, RobustError)
        given: Any = self.objective.rho(z)
        is_triple = isinstance(given, tuple | list) and len(given) == 3
        if not is_triple or any(not isinstance(row, Tensor) or row.shape != z.shape for row in given):
            raise InputError(
                f"objective: {type(self.objective).__name__}.rho must return three tensors, the function and its first"
                f" two derivatives, each of the shape {tuple(z.shape)} of what it is given"
            )
        rho, first, second = given
        return rho, first, second

    def _linearized(self, part: Observations) -> tuple[Tensor, list[Tensor | float]]:
        """The prediction, and its derivative by each element of theta."""
        if self._parametric is not None:
            prediction, columns = self._parametric.value_and_jacobian(*part.inputs)
            return self._checked(prediction), [columns[name] for name in self._names]
        jacobian = getattr(self.model, "jacobian", None)
        if callable(jacobian):
            prediction = self._checked(self.model(*part.inputs))
            return prediction, self._checked_columns(jacobian(*part.inputs), part)
        quick = self._derivatives_by_row(part)
        if quick is not None:
            return quick
        return self._checked(self.model(*part.inputs)), self._derivatives(part)

    def _checked(self, prediction: object) -> Tensor:
        name = type(self.model).__name__
        if isinstance(prediction, Distribution):
            raise InputError(f"model: least squares needs a prediction, but {name} returned a distribution")
        if not isinstance(prediction, Tensor) or prediction.dtype.is_complex:
            kind = "a complex tensor" if isinstance(prediction, Tensor) else f"a {type(prediction).__name__}"
            raise InputError(
                f"model: {name}.forward returned {kind}, but it must return a real tensor with one value for each"
                " observation"
            )
        return prediction

    def _checked_columns(self, columns: object, part: Observations) -> list[Tensor | float]:
        """The derivatives that a module's own ``jacobian`` gives, each a number or one value a row."""
        name = f"{type(self.model).__name__}.jacobian"
        expected = f"a mapping from each parameter ({', '.join(self._names)}) to a number or a tensor ({part.n},)"
        if not isinstance(columns, Mapping):
            raise InputError(f"model: {name} must return {expected}, but returned a {type(columns).__name__}")
        missing = [key for key in self._names if key not in columns]
        if missing:
            raise InputError(f"model: {name} must return {expected}, but {missing[0]} is missing")
        for key in self._names:
            column = columns[key]
            if isinstance(column, Tensor) and column.ndim and column.shape != (part.n,):
                raise InputError(f"model: {name} must return {expected}, but {key} has the shape {tuple(column.shape)}")
            if not isinstance(column, Tensor | float | int | np.ndarray):
                raise InputError(f"model: {name} must return {expected}, but {key} is a {type(column).__name__}")
        return [columns[key] for key in self._names]

    def _derivatives_by_row(self, part: Observations) -> tuple[Tensor, list[Tensor | float]] | None:
        """Prediction and derivatives of a module whose parameters are numbers and whose rows do not mix."""
        if any(self.shapes.values()):
            return None
        parameters = trainable_parameters(self.model)

        def predicted(values: Sequence[Tensor]) -> Tensor:
            named = dict(zip(parameters, values, strict=True))
            prediction: Tensor = functional_call(self.model, named, part.inputs)
            return prediction

        quick = self._rowwise(predicted, list(parameters.values()), part.n)
        return None if quick is None else (quick[0], list(quick[1]))

    def _derivatives(self, part: Observations) -> list[Tensor | float]:
        """By autograd, for a model that does not know its own and whose rows may mix."""
        quick = self._derivatives_backwards(part) if part.n <= _FEW_ROWS else None
        if quick is not None:
            return quick
        parameters = trainable_parameters(self.model)

        def predicted(values: dict[str, Tensor]) -> Tensor:
            prediction: Tensor = functional_call(self.model, values, part.inputs)
            return prediction

        derivatives = jacfwd(predicted)(parameters)
        columns: list[Tensor | float] = []
        for name in self._names:
            columns += derivatives[name].reshape(part.n, -1).T.unbind()
        return columns

    def _derivatives_backwards(self, part: Observations) -> list[Tensor | float] | None:
        """Of few rows, each row's own walk backwards, all at once; None where forward mode has to be asked."""
        parameters = list(trainable_parameters(self.model).values())
        try:
            with torch.inference_mode(False), torch.enable_grad():
                prediction = self.model(*part.inputs)
                one_each = torch.eye(part.n, dtype=prediction.dtype, device=prediction.device)
                jacobian = torch.autograd.grad(
                    prediction, parameters, one_each, is_grads_batched=True, allow_unused=True
                )
        except Exception:  # an operation may have no derivative backwards, or none for several rows at once
            return None
        # A parameter that is out of reach here, as one made in inference mode, need not be so forwards; and backwards
        # 0 * inf may stand where forwards nothing is not a number.
        if any(derivative is None or not bool(torch.isfinite(derivative).all()) for derivative in jacobian):
            return None
        return [column for derivative in jacobian for column in derivative.reshape(part.n, -1).T.unbind()]


def _size_of_target(observations: Observations) -> float:
    """The length of the target, over sigma where it is known.

    Raises:
        InputError: if a square overflows, or if its numbers are too small to have all their digits.
    """
    target = observations.target if observations.sigma is None else observations.target / observations.sigma
    size = math.sqrt(target.dot(target).item())
    if 1e-75 < size < 1e75:
        return size
    largest, over = target.abs().max().item(), "" if observations.sigma is None else " over sigma"
    if largest > LARGEST_TO_SQUARE:
        raise InputError(
            f"data.target: the square of its values overflows (the largest value{over} is {largest:.3g}); count it in a"
            f" larger unit, such as {10.0 ** math.floor(math.log10(largest)):.0e} of this one"
        )
    if 0 < largest < _LEAST_WITH_ALL_DIGITS:
        raise InputError(
            f"data.target: its values{over} are so small that float64 has not all their digits (the largest is"
            f" {largest:.3g}); count it in a smaller unit"
        )
    return largest * math.sqrt((target / largest).square().sum().item()) if largest else 0.0


def _stacked(columns: list[Tensor | float], part: Observations) -> Tensor:
    """The columns ``(w, n)``, over sigma where it is known."""
    target = part.target
    if target.is_cpu:  # where NumPy is much quicker with few rows, and no slower with many
        buffer = np.empty((len(columns), part.n))
        for place, column in enumerate(columns):
            if not isinstance(column, Tensor):
                buffer[place] = column
            else:
                buffer[place] = (column.detach() if column.requires_grad else column).numpy()
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
