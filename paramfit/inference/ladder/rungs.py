"""The same estimates, questioned in several ways."""

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from paramfit.facts import Reason
from paramfit.inference.ladder.rung import Rung
from paramfit.inference.profile.profiles import Profile
from paramfit.shown.notebook import as_html
from paramfit.shown.words import sentence, sentences

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["Ladder"]


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

    def __rich__(self) -> "RenderableType":
        """The table, for rich's ``print``."""
        from paramfit.inference.ladder.report_ladder import ladder_report

        return ladder_report(self.estimates, self.rungs, self.plain, self.warnings)

    def _repr_html_(self) -> str:
        """The table, for a notebook."""
        return as_html(self)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
