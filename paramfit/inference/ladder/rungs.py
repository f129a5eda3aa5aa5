"""The same estimates, questioned in several ways, and their table."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from paramfit.facts import Reason
from paramfit.inference.profile.profiles import Profile
from paramfit.shown.digits import value_as_with_error
from paramfit.shown.tables import as_html, as_text, table_of_facts, table_of_parameters
from paramfit.shown.text import warning_line
from paramfit.shown.words import sentence, sentences

__all__ = ["Interval", "Ladder", "Rung"]

_WIDTH = 110

Interval = tuple[float | None, float | None]
"""Lower and upper end of a 95 % interval; infinite where the data set none, None where none was found."""


@dataclass(frozen=True)
class Rung:
    """One way to tell how uncertain the estimates are.

    Attributes:
        name: of the way, such as ``profile likelihood``.
        standard_errors: for each parameter, of its value within its bounds; parameters that have none are missing. None
            where this way gives intervals alone.
        intervals: for each parameter its 95 % interval; empty where there is none.
        method: what exactly was computed.
        reasons: why something is missing.
    """

    name: str
    standard_errors: dict[str, float] | None
    intervals: dict[str, Interval]
    method: Reason
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True)
class Ladder:
    """All ways side by side.

    Attributes:
        estimates: the parameters' values, within their bounds.
        rungs: the ways, the plain one of the report among them.
        plain: name of that one, which all others are compared with.
        cautions: where they disagree, by how much, and what it means.
        profiles: for each parameter its profile likelihood, where it was asked for; for figures.
    """

    estimates: dict[str, float]
    rungs: tuple[Rung, ...]
    plain: str
    cautions: tuple[Reason, ...] = ()
    profiles: dict[str, Profile] = field(default_factory=dict, repr=False)

    def rung(self, name: str) -> Rung:
        """The rung of that name.

        Raises:
            KeyError: if it was not asked for.
        """
        for rung in self.rungs:
            if rung.name == name:
                return rung
        raise KeyError(name)

    @property
    def warnings(self) -> tuple[str, ...]:
        """The cautions in words."""
        return tuple(map(sentence, self.cautions))

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a JSON file, without the curves: infinite numbers as strings."""
        return {
            "plain": self.plain,
            "rungs": {
                rung.name: {
                    "standard_errors": _plain(rung.standard_errors),
                    "intervals_95": {name: [_plain(end) for end in ends] for name, ends in rung.intervals.items()},
                    "method": sentence(rung.method),
                    "reason": sentences(rung.reasons) or None,
                }
                for rung in self.rungs
            },
            "warnings": list(self.warnings),
        }

    def __rich__(self) -> RenderableType:
        """The table, for rich's ``print``."""
        return Group(_table(self), _methods(self.rungs), *map(warning_line, self.warnings))

    def __str__(self) -> str:
        """The table, for Python's ``print``."""
        return as_text(self, _WIDTH)

    def _repr_html_(self) -> str:
        """The table, for a notebook."""
        return as_html(self)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


_MOST_PARAMETERS = 40


def _table(ladder: Ladder) -> Table:
    """Each parameter with all its errors and intervals one below the other."""
    table = table_of_parameters("Can these errors be trusted?")
    table.add_column("by", no_wrap=True)
    table.add_column("std. error", justify="right", no_wrap=True)
    table.add_column("95 % interval", justify="right", no_wrap=True)
    shown = list(ladder.estimates)[:_MOST_PARAMETERS]
    for name in shown:
        scale = _scale(ladder, name)
        for place, rung in enumerate(ladder.rungs):
            cells = (name if place == 0 else "", rung.name, _error(rung, name), _interval(rung, name, scale))
            table.add_row(*cells, end_section=place == len(ladder.rungs) - 1)
    if len(ladder.estimates) > len(shown):
        table.caption = f"and {len(ladder.estimates) - len(shown)} more, in estimates.json"
    return table


def _scale(ladder: Ladder, name: str) -> float | None:
    """The error whose digits all intervals of a parameter are shown with: the plain one, or the first there is."""
    for rung in sorted(ladder.rungs, key=lambda rung: rung.name != ladder.plain):
        error = (rung.standard_errors or {}).get(name)
        if error is not None:
            return error
    return None


def _error(rung: Rung, name: str) -> str:
    errors = rung.standard_errors or {}
    return value_as_with_error(errors[name], errors[name]) if name in errors else "-"


def _interval(rung: Rung, name: str, scale: float | None) -> str:
    ends = rung.intervals.get(name)
    if ends is None:
        return "-"
    lower, upper = ("none" if end is None else value_as_with_error(end, scale) for end in ends)
    return f"{lower} to {upper}"


def _methods(rungs: Iterable[Rung]) -> Table:
    """What each rung is, or why there is none."""
    rows = table_of_facts()
    for rung in rungs:
        rows.add_row(rung.name, sentence(rung.method) + (f": {sentences(rung.reasons)}" if rung.reasons else ""))
    return rows
