"""A model that is a plain Python function."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from paramfit.errors import InputError
from paramfit.formulas.names import as_names, check_names
from paramfit.models.base import ParametricModel, broadcast_parameters
from paramfit.models.import_path import imported
from paramfit.models.rowwise_derivatives import RowwiseDerivatives
from paramfit.parameters import dtype_named
from paramfit.wording import nearest_names

__all__ = ["FunctionModel", "check_followed"]

_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
# By these a number leaves torch; numpy and math call them too.
_WAYS_OUT = {"__array__", "__complex__", "__float__", "__index__", "__int__", "item", "numpy", "tolist"}


class FunctionModel(ParametricModel):
    r"""A Python function of variables and parameters, ``prediction = function(x, ..., b1, b2, ...)``.

    The function is written with torch's functions, and its derivatives come from ``torch.func``. Its arguments are
    told apart by name: those under ``parameters`` are estimated, the others are inputs. An argument with a default
    keeps it unless it is named. Every parameter needs a start.

    Args:
        function: the function, or where it is: ``decay.curve`` is the function ``curve`` in ``decay.py``.
        variables: the arguments that are inputs, in the order of the input columns; all arguments that have no
            default and are no parameters where they are not given.
        parameters: for each parameter its start, or a mapping with start, lower, upper, fixed, unit.
        dtype: precision of the parameters, ``float32`` or ``float64``.

    Shapes:
        inputs ``(n,)`` and scalar parameters must give ``(n,)``; parameters with leading dimensions broadcast, as in
        ``LinearModel``, where the function is made of elementwise operations.

    Raises:
        InputError: if the function cannot be found, an argument is missing or unknown, or a parameter cannot be made
            (``ParameterSpec``); at the first call, if a number that depends on a parameter leaves torch.

    Example:
        >>> def decay(t, rate, height=1.0):
        ...     return height * torch.exp(-rate * t)
        >>> model = FunctionModel(decay, parameters={"rate": 2.0})
        >>> model.variables, model.jacobian(torch.zeros(1))["rate"].tolist()
        (('t',), [-0.0])
    """

    def __init__(
        self,
        function: str | Callable[..., Any],
        variables: Sequence[str] | None = None,
        parameters: Mapping[str, Any] | None = None,
        dtype: str = "float64",
    ) -> None:
        super().__init__()
        self.function = _function_at(function) if isinstance(function, str) else function
        self.function_name = function if isinstance(function, str) else getattr(function, "__name__", repr(function))
        arguments = _arguments(self.function, self.function_name)
        given = dict(zip(as_names("parameters", parameters or {}), (parameters or {}).values(), strict=True))
        needed = [name for name, has_default in arguments.items() if not has_default and name not in given]
        self.variables = as_names("variables", needed if variables is None else variables)
        self.names = tuple(given)
        check_names(self, self.variables, self.names)
        self._check_arguments(list(arguments), needed)
        for name, start in given.items():
            if self.declare(name, start, dtype_named(dtype)).start is None:
                raise InputError(f"parameters.{name}.start: a function's parameter needs one")
        self._is_followed = False  # known at the first call
        self._rowwise = RowwiseDerivatives()

    def _check_arguments(self, arguments: Sequence[str], needed: Sequence[str]) -> None:
        for place, names in (("variables", self.variables), ("parameters", self.names)):
            for name in names:
                if name not in arguments:
                    hint = nearest_names(name, arguments, f"it takes {', '.join(arguments)}", most=1)
                    raise InputError(f"{place}: {self.function_name} has no argument {name}; {hint}")
        for name in needed:
            if name not in self.variables:
                raise InputError(
                    f"parameters: {self.function_name} needs {name}, which has no default; name it among the parameters"
                    " or the variables"
                )

    def forward(self, *inputs: Tensor) -> Tensor:
        """The function at the inputs."""
        values = [self.natural(name) for name in self.names]
        return self._called(inputs, broadcast_parameters(self.names, values, inputs[0].ndim if inputs else 1))

    def jacobian(self, *inputs: Tensor) -> dict[str, Tensor | float]:
        """The derivative by each parameter, by forward-mode differentiation, one parameter at a time."""
        values = [self.natural(name).detach() for name in self.names]
        columns: dict[str, Tensor | float] = {}
        for number, name in enumerate(self.names):

            def of_one(value: Tensor, number: int = number) -> Tensor:
                return self._called(inputs, [*values[:number], value, *values[number + 1 :]])

            try:
                with torch.enable_grad():
                    one = torch.ones_like(values[number])
                    column = torch.func.jvp(of_one, (values[number],), (one,), strict=True)[1]
            except (RuntimeError, TypeError, NotImplementedError) as failure:
                raise InputError(
                    f"function: torch.func cannot differentiate {self.function_name} by {name}"
                    f" ({' '.join(str(failure).split())[:200]}); write it with torch's functions"
                ) from failure
            columns[name] = column.detach()
        return self.by_unconstrained(columns)

    def value_and_jacobian(self, *inputs: Tensor) -> tuple[Tensor, dict[str, Tensor | float]]:
        """The function and its derivatives: by one walk backwards where its rows do not mix, which is tried first."""
        if inputs and inputs[0].ndim == 1:
            values = [self.natural(name) for name in self.names]
            quick = self._rowwise(lambda at: self._called(inputs, at), values, len(inputs[0]))
            if quick is not None:
                return quick[0], self.by_unconstrained(dict(zip(self.names, quick[1], strict=True)))
        return self(*inputs), self.jacobian(*inputs)

    def _called(self, inputs: Sequence[Tensor], values: Sequence[Tensor]) -> Tensor:
        self.check_count(inputs, f"{self.function_name} has")
        named = dict(zip(self.variables, inputs, strict=True))
        if not self._is_followed:
            starts = {name: self.specifications[name].start for name in self.names}
            check_followed(self.function, self.function_name, named, starts)
            self._is_followed = True
        prediction = self.function(**named, **dict(zip(self.names, values, strict=True)))
        if not isinstance(prediction, Tensor):
            raise InputError(f"function: {self.function_name} returned {type(prediction).__name__}, not a tensor")
        return prediction


def _function_at(path: str) -> Callable[..., Any]:
    """The function at an import path."""
    function: Any = imported("function", path, "decay.curve, for a function curve in decay.py")
    if not callable(function):
        raise InputError(f"function: {path} is of type {type(function).__name__}, which cannot be called")
    named: Callable[..., Any] = function
    return named


def _arguments(function: Callable[..., Any], called: str) -> dict[str, bool]:
    """The function's arguments, and whether each has a default."""
    try:
        arguments = inspect.signature(function).parameters.values()
    except (TypeError, ValueError) as failure:
        raise InputError(
            f"function: {called} does not tell the names of its arguments; wrap it in a Python function that does"
        ) from failure
    for argument in arguments:
        if argument.kind not in _NAMED:
            raise InputError(
                f"function: the arguments of {called} are told apart by name, but {str(argument)!r} has none to call"
            )
    return {argument.name: argument.default is not inspect.Parameter.empty for argument in arguments}


class _Left(Exception):
    """A number that depends on a parameter has left torch."""


class _Watch(TorchFunctionMode):
    """Ends a call where a number that depends on a parameter is about to leave torch."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if getattr(func, "__name__", "") in _WAYS_OUT and isinstance(args[0], Tensor) and args[0].requires_grad:
            raise _Left
        return func(*args, **(kwargs or {}))


def check_followed(function: Callable[..., Any], called: str, inputs: Mapping[str, Any], starts: Any) -> None:
    """Call a function once, to see whether its derivatives by its parameters are what torch will take them for.

    ``math.exp(-rate)`` is a plain number, for torch a constant: the derivative by ``rate`` would lack a term, and
    nobody would be told.

    Raises:
        InputError: if a number that depends on a parameter leaves torch. Whatever else is wrong with the function is
            not told: it is found out where it is used.
    """
    values = {name: torch.tensor(start, dtype=torch.float64, requires_grad=True) for name, start in starts.items()}
    try:
        with torch.enable_grad(), _Watch():
            function(**inputs, **values)
    except _Left:
        raise InputError(
            f"function: {called} makes a plain number of one that depends on a parameter (as math's and numpy's"
            " functions do), and derivatives end there; write it with torch's functions, such as torch.exp"
        ) from None
    except Exception:  # whatever the user's function raises
        return
