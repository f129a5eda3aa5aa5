"""A fitted model as a program of ``torch.export``, which runs without paramfit and without the model's own code."""

import copy
import io
import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from paramfit.distributions.arguments import argument_values
from paramfit.distributions.domain import unchecked
from paramfit.errors import InputError
from paramfit.export.written_model import WrittenModel
from paramfit.formulas.names import code_names
from paramfit.results.estimate_cells import caveat
from paramfit.results.record import Record

__all__ = ["STATUS_FILE", "torch_program"]

STATUS_FILE = "paramfit.json"
"""The extra file of a program that says how its fit ended."""

_ROWS = 3  # of the example: torch takes numbers of rows below 2 for constants
_WIDTH = 200  # characters of torch's own complaint


def torch_program(record: Record, model: nn.Module | None) -> bytes:
    """What ``torch.export.save`` writes of the fitted model.

    Its inputs are float64 columns ``(n,)`` of any one length, in their own units: a normalisation is part of it. It
    gives the prediction ``(n,)`` or, for a distribution, a dictionary of its arguments. How the fit ended, and what to
    be careful about, is in its extra file ``paramfit.json``, which ``torch.export.load(path, extra_files=...)`` fills
    in.

    Args:
        record: of the fit.
        model: at the estimates, on the inputs as the fit had them; it is needed where no formulas say it.

    Raises:
        InputError: if the model is needed and not there, or ``torch.export`` cannot follow it.
    """
    if record.model is not None and record.model.is_written:
        written = WrittenModel.of(record, "pt2")
        fitted: nn.Module = _FormulaProgram(written)
        n_inputs = len(written.variables)
    elif model is None:
        raise InputError(
            "pt2: the result was read from a file, which does not hold the model's code; give the run's folder to"
            " paramfit.export_run, or export the result of fit"
        )
    else:
        fitted = copy.deepcopy(model).to("cpu", torch.float64).eval()
        n_inputs = _number_of_inputs(record)
    pairs = [] if record.normalized_input is None else record.normalized_input.pairs
    program = _RawInputs(fitted, pairs[:n_inputs]).eval().requires_grad_(False)
    columns = tuple(torch.linspace(0.25, 0.75, _ROWS, dtype=torch.float64) for _ in range(n_inputs))
    rows = torch.export.Dim("rows")
    try:
        with unchecked(), torch.inference_mode(False):
            exported = torch.export.export(
                program, columns, dynamic_shapes=(tuple({0: rows} for _ in columns),) if columns else None, strict=False
            )
    except Exception as refused:  # torch has no common base for what it cannot follow
        said = " ".join(str(refused).split())[:_WIDTH]
        raise InputError(
            f"pt2: torch.export cannot follow {type(model).__name__} ({said}); write its forward with torch's functions"
            " alone, without branches on values"
        ) from refused
    content = io.BytesIO()
    torch.export.save(exported, content, extra_files={STATUS_FILE: _status(record)})
    return content.getvalue()


def _status(record: Record) -> str:
    facts = {"status": record.status.value, "reason": record.reason, "caveat": caveat(record)}
    return json.dumps({**facts, "warnings": record.warnings}, ensure_ascii=True)


def _number_of_inputs(record: Record) -> int:
    made = record.provenance
    return 0 if made is None else len(made.fingerprint.inputs)


class _RawInputs(nn.Module):
    """A model behind the normalisation of its inputs."""

    def __init__(self, model: nn.Module, pairs: list[tuple[float, float]]) -> None:
        super().__init__()
        self.model = model
        self.pairs = pairs

    def forward(self, *inputs: Tensor) -> Any:
        """The prediction, or the arguments of the distribution, at inputs in their own units."""
        if self.pairs:
            inputs = tuple((x - shift) * scale for x, (shift, scale) in zip(inputs, self.pairs, strict=True))
        outcome = self.model(*inputs)
        return argument_values(outcome) if isinstance(outcome, Distribution) else outcome


class _FormulaProgram(nn.Module):
    """The formulas of a model, with the value of each parameter as a ``nn.Parameter``."""

    def __init__(self, written: WrittenModel) -> None:
        super().__init__()
        self._written = written
        self._spelling = code_names(tuple(written.values))  # torch writes code with them
        for name, value in written.values.items():
            self.register_parameter(self._spelling[name], nn.Parameter(torch.tensor(value, dtype=torch.float64)))

    def forward(self, *inputs: Tensor) -> Tensor | Mapping[str, Tensor]:
        """As torch computes them, without the care of a fit."""
        values = [getattr(self, self._spelling[name]) for name in self._written.values]
        outcomes = {
            name: torch.as_tensor(formula.unchecked_value(*inputs, *values)[0], dtype=torch.float64)
            for name, formula in self._written.formulas.items()
        }
        return outcomes["prediction"] if self._written.distribution is None else outcomes
