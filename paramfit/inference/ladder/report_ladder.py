"""The table of a ladder."""

from collections.abc import Iterable, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from paramfit.inference.ladder.rung import Rung
from paramfit.shown.digits import value_as_with_error
from paramfit.shown.tables import table_of_parameters
from paramfit.shown.words import sentence, sentences

__all__ = ["ladder_report"]

_MOST_PARAMETERS = 40


def ladder_report(
    estimates: Mapping[str, float], rungs: Sequence[Rung], plain: str, warnings: Sequence[str]
) -> RenderableType:
    """Each parameter with all its errors and intervals one below the other, what they are, and the warnings.

    Args:
        estimates: the parameters' values.
        rungs: the ways.
        plain: name of the one by whose error the intervals are rounded.
        warnings: where the ways disagree.
    """
    lines = [Text.assemble(("warning: ", "bold yellow"), warning) for warning in warnings]
    return Group(_table(estimates, rungs, plain), _methods(rungs), *lines)


def _table(estimates: Mapping[str, float], rungs: Sequence[Rung], plain: str) -> Table:
    table = table_of_parameters("Can these errors be trusted?")
    table.add_column("by", no_wrap=True)
    table.add_column("std. error", justify="right", no_wrap=True)
    table.add_column("95 % interval", justify="right", no_wrap=True)
    shown = list(estimates)[:_MOST_PARAMETERS]
    for name in shown:
        scale = _scale(rungs, plain, name)
        for place, rung in enumerate(rungs):
            table.add_row(
                name if place == 0 else "",
                rung.name,
                _error(rung, name),
                _interval(rung, name, scale),
                end_section=place == len(rungs) - 1,
            )
    if len(estimates) > len(shown):
        table.caption = f"and {len(estimates) - len(shown)} more, in estimates.json"
    return table


def _scale(rungs: Sequence[Rung], plain: str, name: str) -> float | None:
    """The error whose digits all intervals of a parameter are shown with: the plain one, or the first there is."""
    for rung in sorted(rungs, key=lambda rung: rung.name != plain):
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
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="dim", no_wrap=True)
    rows.add_column()
    for rung in rungs:
        rows.add_row(rung.name, sentence(rung.method) + (f": {sentences(rung.reasons)}" if rung.reasons else ""))
    return rows
