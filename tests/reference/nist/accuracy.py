"""How many digits of an estimate agree with the certified ones."""

import math
from collections.abc import Iterator, Mapping
from itertools import chain, permutations
from typing import NamedTuple

from tests.reference.nist.dataset import Dataset
from tests.reference.nist.formulas import INTERCHANGEABLE

__all__ = ["Accuracy", "accuracy_of", "log_relative_error"]


class Accuracy(NamedTuple):
    """Agreeing digits of a fit, each the fewest over the parameters."""

    estimates: float
    standard_errors: float


def log_relative_error(value: float, certified: float, cap: float) -> float:
    """The number of agreeing digits, ``-log10(|value - certified| / |certified|)``, between 0 and ``cap``.

    Where the certified value is 0 the error is taken as it is. What is not finite has no correct digit.
    """
    if not math.isfinite(value):
        return 0.0
    error = abs(value - certified) / (abs(certified) or 1.0)
    return cap if error == 0 else min(cap, max(0.0, -math.log10(error)))


def accuracy_of(
    dataset: Dataset, estimates: Mapping[str, float], standard_errors: Mapping[str, float], cap: float
) -> Accuracy:
    """Digits of the worst estimate and of the worst standard error, under the labels that suit the estimates best."""
    return max(_under(labels, dataset, estimates, standard_errors, cap) for labels in _labellings(dataset))


def _under(
    labels: Mapping[str, str],
    dataset: Dataset,
    estimates: Mapping[str, float],
    standard_errors: Mapping[str, float],
    cap: float,
) -> Accuracy:
    digits, digits_of_errors = [], []
    for name, certified in dataset.parameters.items():
        digits.append(log_relative_error(estimates[labels[name]], certified.estimate, cap))
        if certified.standard_error is not None:
            digits_of_errors.append(log_relative_error(standard_errors[labels[name]], certified.standard_error, cap))
    return Accuracy(min(digits), min(digits_of_errors, default=cap))


def _labellings(dataset: Dataset) -> Iterator[dict[str, str]]:
    """Each way to call the parameters that leaves the model as it is."""
    groups = INTERCHANGEABLE.get(dataset.name, ())
    for order in permutations(groups):
        swapped = dict(zip(chain(*groups), chain(*order), strict=True))
        yield {name: swapped.get(name, name) for name in dataset.parameters}
