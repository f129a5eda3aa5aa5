"""Distributions made again from their own arguments."""

import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli, Distribution, NegativeBinomial, constraints

from paramfit import InputError
from paramfit.distributions.rebuilding import argument_values


@pytest.mark.parametrize("kind", ["probs", "logits"])
def test_what_was_given_is_kept_after_the_other_was_read(kind: str) -> None:
    value = torch.tensor(0.3)
    bernoulli = Bernoulli(**{kind: value})
    assert bernoulli.probs is not None
    assert bernoulli.logits is not None  # computed on demand, and then kept beside the one given
    assert list(argument_values(bernoulli)) == [kind]


def test_name_asked_for_decides() -> None:
    distribution = NegativeBinomial(3.0, probs=torch.tensor(0.3))
    assert list(argument_values(distribution, ["logits"])) == ["total_count", "logits"]
    assert list(argument_values(distribution, ["probs"])) == ["total_count", "probs"]


def test_argument_that_is_not_kept_is_named() -> None:
    class Forgetful(Distribution):
        arg_constraints = {"mu": constraints.real}  # noqa: RUF012  # as torch writes it

        def __init__(self, mu: Tensor) -> None:
            super().__init__(validate_args=False)

    with pytest.raises(InputError, match="Forgetful does not keep its argument mu as an attribute"):
        argument_values(Forgetful(torch.tensor(1.0)))
