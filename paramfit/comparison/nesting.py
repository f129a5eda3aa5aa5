"""Whether one model is another with some parameters held, found by algebra."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np
import sympy as sp
import torch
from torch import Tensor

from paramfit.comparison.symbolic_model import SymbolicModel
from paramfit.formulas.algebra import algebraic, same_formula
from paramfit.linalg.unit_free import ScaledColumns

__all__ = ["Nesting", "find_nesting", "undetermined_among"]

_CONSTANTS = (0.0, 1.0)
_MOST_TRIED = 200_000
_MOST_PROVEN = 20
_POINTS = 12  # rows at which a guess is tried
_TOLERANCE = 1e-9
_NOTHING = 1e-12  # of the longest column: rounding of a column of zeros
_LOOSE = 1e-7  # a direction this much weaker than the strongest is not determined
_SHARE = 1e-6  # of a parameter in what is not
_SEED = 0
# Targets to compare densities at: within and beyond every support, but not on its edge.
_REALS = (0.12, 0.31, 0.47, 0.83, 0.05, 0.95, 2.0, 3.0, 1.7, 4.3, -0.6, -2.1)
_COUNTS = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 0.0, 1.0, 2.0, 3.0, 6.0, -1.0)


class Nesting(NamedTuple):
    """How a smaller model is contained in a larger one.

    Attributes:
        how: what of the larger model is held, such as ``c = 0``.
        at_bounds: parameters of the larger model that sit at a bound of theirs under the smaller model.
        undetermined: parameters of the larger model that no data determine under the smaller model.
    """

    how: str
    at_bounds: tuple[str, ...] = ()
    undetermined: tuple[str, ...] = ()


class _Turn(NamedTuple):
    """A function of a parameter that another parametrisation may need."""

    text: str
    value: Callable[[Tensor], Tensor]
    expression: Callable[[Any], Any]


_SAME = _Turn("{}", lambda u: u, lambda u: u)
_TURNS = (
    _Turn("-{}", torch.neg, lambda u: -u),
    _Turn("1/{}", torch.reciprocal, lambda u: 1 / u),
    _Turn("log({})", torch.log, sp.log),
    _Turn("exp({})", torch.exp, sp.exp),
    _Turn("logit({})", torch.logit, lambda u: sp.log(u / (1 - u))),
)


class _Choice(NamedTuple):
    """What a parameter of the larger model may be: a constant, or (a function of) a parameter of the smaller."""

    name: str | None
    constant: float = 0.0
    turn: _Turn = _SAME

    @property
    def text(self) -> str:
        return f"{self.constant:g}" if self.name is None else self.turn.text.format(self.name)

    def value(self, values: Mapping[str, Tensor]) -> Tensor:
        if self.name is None:
            return torch.tensor([self.constant], dtype=torch.float64)
        return self.turn.value(values[self.name])

    @property
    def expression(self) -> Any:
        if self.name is None:
            return sp.nsimplify(self.constant, rational=True)
        return self.turn.expression(sp.Symbol(self.name, real=True))


def find_nesting(smaller: SymbolicModel, larger: SymbolicModel, estimates: Mapping[str, float]) -> Nesting | None:
    """Parameters of the larger model that turn it into the smaller one.

    Each is tried as 0, as 1, as a number that the smaller model holds fixed or has in its formula, as a parameter of
    the smaller one (two may be the same), as its negative, reciprocal, logarithm, exponential and logit: first
    numerically at random points, all at once, then what fits is proven by SymPy. Distributions of two families are
    compared by their log density at random points alone.

    Returns:
        The most regular way that is found among the simplest; None where none is.
    """
    if not set(smaller.inputs) <= set(larger.inputs) or (smaller.distribution is None) != (larger.distribution is None):
        return None
    if smaller.distribution is not None and (smaller.kind is None or larger.kind is None):
        return None
    if smaller.is_discrete != larger.is_discrete:
        return None
    with torch.no_grad():
        for tier in _tiers(smaller, larger):
            ways = [
                _described(smaller, larger, guess, estimates)
                for guess in _that_fit(smaller, larger, tier)[:_MOST_PROVEN]
                if _is_within(larger, guess, estimates) and _proven(smaller, larger, guess)
            ]
            if ways:
                return min(ways, key=lambda way: (len(way.undetermined), len(way.at_bounds), len(way.how)))
    return None


def undetermined_among(names: Sequence[str], jacobian: Tensor) -> tuple[str, ...]:
    """The parameters that a singular Jacobian ``(n, p)`` cannot tell apart or does not depend on."""
    if not len(jacobian) or not bool(torch.isfinite(jacobian).all()):
        return tuple(names)
    length = jacobian.norm(dim=0)
    size = torch.where(length > _NOTHING * length.max(), length, torch.inf)
    scaled = ScaledColumns.of(jacobian.numpy(), size.numpy())
    held = scaled.directions[scaled.strong(_LOOSE)]
    # What no determined direction has a part of is loose: the rest of a unit vector's length.
    rest = 1 - np.square(held).sum(axis=0)
    return tuple(name for name, part in zip(names, rest, strict=True) if part > _SHARE**2)


def _tiers(smaller: SymbolicModel, larger: SymbolicModel) -> Iterator[list[list[_Choice]]]:
    """What each parameter of the larger model is tried as: the simplest first."""
    values = dict.fromkeys((*_CONSTANTS, *smaller.fixed.values(), *smaller.numbers))
    constants = [_Choice(None, value) for value in values]
    direct = [_Choice(name) for name in smaller.free]
    turned = [_Choice(name, turn=turn) for name in smaller.free for turn in _TURNS]

    def by_name(others: list[_Choice]) -> list[list[_Choice]]:
        own = {name: [*constants, _Choice(name)] for name in smaller.free}
        return [own.get(name, [*constants, *others]) for name in larger.free]

    def any_name(others: list[_Choice]) -> list[list[_Choice]]:
        return [[*constants, *others]] * len(larger.free)

    both = [*direct, *turned]
    for tier in (by_name(direct), any_name(direct), by_name(both), any_name(both)):
        if prod(map(len, tier)) <= _MOST_TRIED:
            yield tier


def _that_fit(smaller: SymbolicModel, larger: SymbolicModel, tier: list[list[_Choice]]) -> list[tuple[_Choice, ...]]:
    """The guesses under which both models agree at random points."""
    places = torch.cartesian_prod(*(torch.arange(len(choices)) for choices in tier)).reshape(-1, len(tier))
    for signed in (False, False, True):
        values, columns, target = _draw(smaller, larger, signed)
        expected = smaller.outcome(values, columns, target)
        guessed = {
            name: torch.cat([choice.value(values) for choice in choices])[places[:, k], None]
            for k, (name, choices) in enumerate(zip(larger.free, tier, strict=True))
        }
        got = larger.outcome(guessed, columns, target).expand(len(places), -1)
        close = (got - expected).abs() <= _TOLERANCE * (1 + expected.abs())
        both = torch.isfinite(got) & torch.isfinite(expected)
        neither = ~torch.isfinite(got) & ~torch.isfinite(expected)
        # Of signed numbers all may be outside a domain (of a logarithm); of positive ones some have to be inside.
        fits = (close & both | neither).all(dim=1) & (signed | (both.sum(dim=1) >= 3))
        places = places[fits]
        if not len(places):
            return []
    return [tuple(choices[place] for choices, place in zip(tier, row, strict=True)) for row in places.tolist()]


def _draw(
    smaller: SymbolicModel, larger: SymbolicModel, signed: bool
) -> tuple[dict[str, Tensor], dict[str, Tensor], Tensor]:
    """Random parameters of the smaller model ``(1,)``, probabilities among them; columns and targets ``(n,)``."""
    generator = torch.Generator().manual_seed(_SEED + signed)

    def numbers(count: int, largest: float) -> Tensor:
        positive = 0.15 + (largest - 0.15) * torch.rand(count, dtype=torch.float64, generator=generator)
        return positive * torch.randn(count, generator=generator).sign() if signed else positive

    values = {name: numbers(1, 0.95) for name in smaller.free}
    columns = {name: numbers(_POINTS, 2.5) for name in sorted({*smaller.inputs, *larger.inputs})}
    return values, columns, torch.tensor(_COUNTS if smaller.is_discrete else _REALS, dtype=torch.float64)


def _is_within(larger: SymbolicModel, guess: Sequence[_Choice], estimates: Mapping[str, float]) -> bool:
    return not any(larger.outside(name, value) for name, value in _at(larger, guess, estimates).items())


def _at(larger: SymbolicModel, guess: Sequence[_Choice], estimates: Mapping[str, float]) -> dict[str, float]:
    tensors = {name: torch.tensor([value], dtype=torch.float64) for name, value in estimates.items()}
    return {name: choice.value(tensors).item() for name, choice in zip(larger.free, guess, strict=True)}


def _proven(smaller: SymbolicModel, larger: SymbolicModel, guess: Sequence[_Choice]) -> bool:
    if smaller.distribution != larger.distribution:
        return True  # by the densities: SymPy does not know them
    if smaller.formulas.keys() != larger.formulas.keys():
        return True  # probabilities in one, logits in the other
    chosen = {name: choice.expression for name, choice in zip(larger.free, guess, strict=True)}
    return all(
        same_formula(
            _substituted(smaller, argument, {name: sp.Symbol(name, real=True) for name in smaller.free}),
            _substituted(larger, argument, chosen),
        )
        for argument in smaller.formulas
    )


def _substituted(model: SymbolicModel, argument: str, chosen: Mapping[str, Any]) -> Any:
    """A formula with its parameters replaced, and its variables called after their columns."""
    replaced = {sp.Symbol(name, real=True): value for name, value in chosen.items()}
    replaced |= {sp.Symbol(name, real=True): sp.nsimplify(value, rational=True) for name, value in model.fixed.items()}
    replaced |= {
        sp.Symbol(name, real=True): sp.Symbol(f"column {column}", real=True)
        for name, column in zip(model.variables, model.inputs, strict=True)
    }
    return algebraic(model.compiled[argument].expression).xreplace(replaced).doit()


def _described(
    smaller: SymbolicModel, larger: SymbolicModel, guess: Sequence[_Choice], estimates: Mapping[str, float]
) -> Nesting:
    values, columns, target = _draw(smaller, larger, signed=False)
    point = torch.cat([choice.value(values) for choice in guess])
    # Beyond its support a density has no slope, and would spoil that of the other targets.
    inside = torch.isfinite(smaller.outcome(values, columns, target))
    columns, target = {name: column[inside] for name, column in columns.items()}, target[inside]

    def outcome(theta: Tensor) -> Tensor:
        named = {name: value[None] for name, value in zip(larger.free, theta.unbind(), strict=True)}
        return larger.outcome(named, columns, target)

    with torch.enable_grad():
        jacobian = torch.autograd.functional.jacobian(outcome, point)  # type: ignore[no-untyped-call]
    at = _at(larger, guess, estimates)
    chosen = dict(zip(larger.free, guess, strict=True))
    idle = {name for name, column in zip(larger.free, jacobian.T, strict=True) if not bool(column.any())}
    said = [
        f"{name} = {choice.text}"
        for name, choice in chosen.items()
        if choice.text != name and not (name in idle and choice.name is None)
    ]
    return Nesting(
        ", ".join(said),
        tuple(name for name, choice in chosen.items() if choice.name is None and larger.at_bound(name, at[name])),
        undetermined_among(larger.free, jacobian),
    )
