"""Reading a file of the NIST Statistical Reference Datasets, by its labels.

The three kinds of file differ in layout, and files of one kind differ among themselves; the labels are what they share.
"""

import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

__all__ = ["CertifiedParameter", "Dataset", "Kind", "find_files", "read_dataset"]

_DATA = Path(__file__).parent / "data"
_NUMBER = r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[Ee][-+]?\d+)?)"
_NONLINEAR_PARAMETER = re.compile(rf"^\s*(b\d+)\s*=\s+{_NUMBER}\s+{_NUMBER}\s+{_NUMBER}\s+{_NUMBER}\s*$", re.MULTILINE)
_LINEAR_PARAMETER = re.compile(rf"^\s*(B\d+)\s+{_NUMBER}\s+{_NUMBER}\s*$", re.MULTILINE)
_MEAN = re.compile(rf"^Sample Mean\s*(?:ybar)?:\s*{_NUMBER}", re.MULTILINE)
_SAMPLE_DEVIATION = re.compile(rf"^Sample Standard Deviation \(denom\. = n-1\)\s*s?:\s*{_NUMBER}", re.MULTILINE)
_RESIDUAL_DEVIATION = re.compile(rf"^\s*Residual\s+Standard Deviation:?\s+{_NUMBER}", re.MULTILINE)
_SUM_OF_SQUARES = re.compile(rf"^Residual Sum of Squares:\s+{_NUMBER}", re.MULTILINE)
_ANALYSIS_OF_VARIANCE = re.compile(rf"^Residual\s+\d+\s+{_NUMBER}\s+{_NUMBER}\s*$", re.MULTILINE)
_COLUMNS = re.compile(r"^Data:\s+(.+)$", re.MULTILINE)


class Kind(Enum):
    """What is estimated from a file; the value names the folder it is in."""

    NONLINEAR = "nonlinear"
    LINEAR = "linear"
    UNIVARIATE = "univariate"


@dataclass(frozen=True)
class CertifiedParameter:
    """One certified parameter.

    Attributes:
        starts: the two starting points of a nonlinear set; none for the others.
        estimate: the certified value.
        standard_error: its certified standard deviation; None for a mean, whose own is not printed.
    """

    starts: tuple[float, ...]
    estimate: float
    standard_error: float | None


@dataclass(frozen=True)
class Dataset:
    """What one file says.

    Attributes:
        name: the name of the file.
        kind: what is estimated.
        columns: each column's cells as they are printed, by lower-case name; the response ``y`` comes first.
        parameters: what is certified; the mean of a univariate set is its parameter ``mu``.
        residual_standard_deviation: certified; for a univariate set the sample standard deviation.
        residual_sum_of_squares: certified; None for a univariate set.
    """

    name: str
    kind: Kind
    columns: dict[str, tuple[str, ...]]
    parameters: dict[str, CertifiedParameter]
    residual_standard_deviation: float
    residual_sum_of_squares: float | None

    @property
    def n(self) -> int:
        """How many observations there are."""
        return len(self.columns["y"])

    @property
    def degrees_of_freedom(self) -> int:
        """Observations less parameters: Rat43 prints 9, and its certified deviations use 11."""
        return self.n - len(self.parameters)


def find_files(kind: Kind) -> list[Path]:
    """The files of one kind, by name."""
    return sorted(path for path in (_DATA / kind.value).iterdir() if path.suffix in {".dat", ".txt"})


def read_dataset(path: Path) -> Dataset:
    """Read one file; its folder says of what kind it is.

    Raises:
        ValueError: if a label is missing.
    """
    text = path.read_text(encoding="ascii")
    kind = Kind(path.parent.name)
    read_certified = {Kind.NONLINEAR: _nonlinear, Kind.LINEAR: _linear, Kind.UNIVARIATE: _univariate}[kind]
    parameters, deviation, sum_of_squares = read_certified(text)
    return Dataset(path.stem, kind, _columns(text), parameters, deviation, sum_of_squares)


Certified = tuple[dict[str, CertifiedParameter], float, float | None]


def _nonlinear(text: str) -> Certified:
    parameters = {
        name: CertifiedParameter((float(first), float(second)), float(estimate), float(error))
        for name, first, second, estimate, error in _NONLINEAR_PARAMETER.findall(text)
    }
    return parameters, _number(_RESIDUAL_DEVIATION, text), _number(_SUM_OF_SQUARES, text)


def _linear(text: str) -> Certified:
    parameters = {
        name: CertifiedParameter((), float(estimate), float(error))
        for name, estimate, error in _LINEAR_PARAMETER.findall(text)
    }
    return parameters, _number(_RESIDUAL_DEVIATION, text), _number(_ANALYSIS_OF_VARIANCE, text)


def _univariate(text: str) -> Certified:
    return {"mu": CertifiedParameter((), _number(_MEAN, text), None)}, _number(_SAMPLE_DEVIATION, text), None


def _number(label: re.Pattern[str], text: str) -> float:
    actual = label.search(text)
    if actual is None:
        msg = f"no line matches {label.pattern!r}"
        raise ValueError(msg)
    return float(actual[1])


def _columns(text: str) -> dict[str, tuple[str, ...]]:
    *_, header = _COLUMNS.finditer(text)  # an earlier one counts the variables
    rows = [line.split() for line in text[header.end() :].splitlines() if line.strip(" -")]
    return dict(zip(header[1].lower().split(), zip(*rows, strict=True), strict=True))
