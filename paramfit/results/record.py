"""The outcome of a fit, as facts; words are made of it in the report."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, get_type_hints

from paramfit.errors import InputError
from paramfit.facts import FactKind, Reason, Status
from paramfit.inference.bands import FittedCurve
from paramfit.inference.ladder.rungs import Interval, Ladder, Rung
from paramfit.results.fingerprint import Fingerprint
from paramfit.results.json_form import to_plain, value_from
from paramfit.results.provenance import BandRoot, ModelDescription, ObjectiveDescription, Origin, Provenance
from paramfit.results.statistics import LeastSquaresStatistics, LikelihoodStatistics
from paramfit.results.verdict import Verdict
from paramfit.shown.words import sentence, sentences

__all__ = ["Estimate", "NamedMatrix", "NormalizedInput", "Record"]

_SAME = 1e-6  # of a value: a model in float32 keeps seven digits


@dataclass(frozen=True)
class Estimate:
    """A parameter's value with its error.

    Attributes:
        estimate: the value.
        standard_error: None where there is none; the result's notes say why.
        interval_95: None where there is no standard error.
        gradient: derivative of the loss by it at the end; None in original units.
        closed_form: the exact optimum, where a formula gives it.
        truth: the true value, where someone knows it.
        unit: as the user gave it.
        fixed: whether it kept its start.
        at_bound: ``lower`` or ``upper`` where the estimate sits at that bound.
    """

    estimate: float
    standard_error: float | None = None
    interval_95: tuple[float, float] | None = None
    gradient: float | None = None
    closed_form: float | None = None
    truth: float | None = None
    unit: str | None = None
    fixed: bool = False
    at_bound: str | None = None

    def without_gradient(self) -> "Estimate":
        """The same, on another scale than that of the descent; in a quarter of ``replace``'s time."""
        return Estimate(**{**self.__dict__, "gradient": None})


@dataclass(frozen=True)
class NormalizedInput:
    """Shift and scale of ``z = (x - shift) * scale``: numbers for one input column, rows of them for several."""

    shift: float | tuple[float, ...]
    scale: float | tuple[float, ...]

    @classmethod
    def of(cls, pairs: Sequence[tuple[float, float]]) -> "NormalizedInput":
        """Of a shift and a scale for each input column."""
        shifts, scales = zip(*pairs, strict=True)
        return cls(shifts[0], scales[0]) if len(pairs) == 1 else cls(shifts, scales)

    @property
    def pairs(self) -> list[tuple[float, float]]:
        """Shift and scale for each input column.

        Example:
            >>> NormalizedInput((1.0, 2.0), (0.5, 4.0)).pairs, NormalizedInput(1.0, 2.0).pairs
            ([(1.0, 0.5), (2.0, 4.0)], [(1.0, 2.0)])
        """
        shift, scale = self.shift, self.scale
        if isinstance(shift, tuple) and isinstance(scale, tuple):
            return list(zip(shift, scale, strict=True))
        return [] if isinstance(shift, tuple) or isinstance(scale, tuple) else [(shift, scale)]


@dataclass(frozen=True)
class NamedMatrix:
    """A covariance or a correlation matrix with the names of its rows; also read as ``covariance["matrix"]``."""

    parameters: tuple[str, ...]
    matrix: tuple[tuple[float, ...], ...]

    def __getitem__(self, key: str) -> Any:
        """``parameters`` or ``matrix``, as lists."""
        return to_plain(self)[key]


@dataclass(frozen=True, eq=False)
class Record:
    """What a fit found, how it ended, and how far it can be trusted. Written as ``estimates.json``.

    Two records are equal where all their facts are: numbers bit for bit, and what is not a number to what is not one.
    The model and the data themselves are no part of it.

    Attributes:
        task: class of the task.
        status: how it ended.
        stop_reason: the fact that goes with it; in words, ``reason``.
        updates: updates made.
        loss: final training and validation loss at the final parameters.
        n_observations: rows that trained and rows that validated.
        parameters: the estimates, on the normalised input where there is one.
        method: what errors and intervals rest on; in words, ``uncertainty``.
        normalized_input: shift and scale of ``z = (x - shift) * scale``; None where the inputs were left alone.
        original_units: the estimates on the raw input; None where the model cannot undo the normalisation.
        distance_to_optimum_in_standard_errors: None with a reason in ``notes``.
        distances_per_parameter: ``|step_i| / standard_error_i``; empty where the distance is None.
        learning_rate_limit: largest stable learning rate at the start; None with a reason in ``notes``.
        condition_number: at the start; None with a reason in ``notes``.
        updates_to_converge: how many more updates would reach the optimum; None with a reason in ``notes``.
        verdict: underfitting, overfitting or neither; None with a reason in ``notes``.
        verdict_updates: first and last update the verdict rests on.
        reasons: for what is missing why it is, and the numbers behind the verdict; in words, ``notes``.
        covariance: of the estimates within their bounds, without those that have no error.
        correlation: the same, as correlations.
        least_squares: statistics of a least-squares fit.
        likelihood: statistics of a fit by maximum likelihood.
        cautions: what to be careful about, each with a cure; in words, ``warnings``.
        metrics: those that the task was given, of the training and the validation rows.
        table: whether report and exports have a table of the estimates, where the user has said it.
        errors_by_way: the ladder, where it was asked for; ``ladder`` in the file.
        made_of: data, model and objective; the file keeps them as ``fingerprint``, ``model``, ``objective`` and
            ``bands``.
    """

    task: str
    status: Status
    stop_reason: Reason = field(metadata={"words": "reason"})
    updates: int
    loss: Mapping[str, float | None]
    n_observations: Mapping[str, int]
    parameters: Mapping[str, Estimate]
    method: Reason = field(metadata={"words": "uncertainty"})
    normalized_input: NormalizedInput | None = None
    original_units: Mapping[str, Estimate] | None = None
    distance_to_optimum_in_standard_errors: float | None = None
    distances_per_parameter: Mapping[str, float] = field(default_factory=dict)
    learning_rate_limit: float | None = None
    condition_number: float | None = None
    updates_to_converge: int | None = None
    verdict: Verdict | None = None
    verdict_updates: tuple[int, int] | None = None
    reasons: Mapping[str, tuple[Reason, ...]] = field(default_factory=dict, metadata={"words": "notes"})
    covariance: NamedMatrix | None = None
    correlation: NamedMatrix | None = None
    least_squares: LeastSquaresStatistics | None = None
    likelihood: LikelihoodStatistics | None = None
    cautions: tuple[Reason, ...] = field(default=(), metadata={"words": "warnings"})
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    table: bool | None = field(default=None, metadata={"optional": True})
    errors_by_way: Ladder | None = None
    made_of: Origin | Provenance | None = field(default=None, repr=False)

    @cached_property
    def reason(self) -> str:
        """Why it ended, in words."""
        return sentence(self.stop_reason)

    @cached_property
    def notes(self) -> dict[str, str]:
        """Why what is missing is missing, in words."""
        return {key: sentences(why) for key, why in self.reasons.items()}

    @cached_property
    def uncertainty(self) -> str:
        """What errors and intervals rest on, in words."""
        return sentence(self.method)

    @cached_property
    def warnings(self) -> list[str]:
        """What to be careful about, in words."""
        return list(map(sentence, self.cautions))

    @property
    def is_solved(self) -> bool:
        """Whether a solver made it, so that there is no descent to tell of."""
        why = self.reasons.get("updates_to_converge", ())
        return any(not isinstance(fact, str) and fact.kind is FactKind.SOLVED_NOT_DESCENDED for fact in why)

    @property
    def provenance(self) -> Provenance | None:
        """Data, model and objective in plain data."""
        return None if self.made_of is None else self.made_of.provenance

    @property
    def fingerprint(self) -> str | None:
        """Of the data that trained: equal for equal columns and rows (``Fingerprint``)."""
        return None if self.provenance is None else str(self.provenance.fingerprint)

    @property
    def model(self) -> ModelDescription | None:
        """The model in plain data."""
        return None if self.provenance is None else self.provenance.model

    @property
    def objective(self) -> ObjectiveDescription | None:
        """The objective in plain data."""
        return None if self.provenance is None else self.provenance.objective

    @property
    def curve(self) -> FittedCurve | None:
        """The fitted curve with its bands; None where there are none.

        Raises:
            InputError: of a record that was read, if its formulas cannot be.
        """
        return None if self.made_of is None else self.made_of.curve

    @property
    def record(self) -> "Record":
        """The facts alone, without model and data."""
        facts = {part.name: getattr(self, part.name) for part in fields(Record)}
        return Record(**{**facts, "made_of": self.provenance})

    def to_plain(self) -> dict[str, Any]:
        """What ``estimates.json`` holds, as dictionaries, lists and numbers; words beside the facts."""
        plain: dict[str, Any] = {}
        facts: dict[str, Any] = {}
        for part in _PARTS:
            value = to_plain(getattr(self, part.name))
            if value is None and part.metadata.get("optional"):
                continue
            if (key := part.metadata.get("words")) is not None:
                plain[key], facts[key] = getattr(self, key), value
            else:
                plain[part.name] = value
        made, ladder = self.provenance, self.errors_by_way
        return {
            **plain,
            "ladder": None if ladder is None else ladder.as_dict(),
            "fingerprint": self.fingerprint,
            "model": None if self.model is None else self.model.as_plain(),
            "objective": to_plain(self.objective),
            "bands": None if made is None else to_plain(made.bands),
            "facts": {**facts, "ladder": None if ladder is None else to_plain(_LadderFacts.of(ladder))},
        }

    def to_json(self) -> str:
        """JSON with numbers in full precision; those that are not finite as strings."""
        return json.dumps(self.to_plain(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "Record":
        """The record that ``to_plain`` has written; its words are not read.

        Raises:
            InputError: with words that follow the file's name: what is missing, or what cannot be.
        """
        facts = value_from(plain, "facts", Mapping[str, Any])
        values = {
            part.name: value_from(facts, key, hint, "facts")
            if (key := part.metadata.get("words")) is not None
            else value_from(plain, part.name, hint)
            for part, hint in zip(_PARTS, _HINTS, strict=True)
            if part.name in plain or not part.metadata.get("optional")
        }
        ladder = value_from(plain, "ladder", _LadderForm | None)
        if ladder is not None:
            words = value_from(facts, "ladder", _LadderFacts, "facts")
            free = {name: estimate.estimate for name, estimate in values["parameters"].items() if not estimate.fixed}
            ladder = _ladder(ladder, words, free)
        record = cls(**values, errors_by_way=ladder, made_of=_provenance(plain))
        _check_parts(record)
        return record

    def __eq__(self, other: object) -> bool:
        """Whether all facts are the same."""
        return isinstance(other, Record) and self.to_plain() == other.to_plain()

    def __hash__(self) -> int:
        """Of what is likely to differ."""
        return hash((self.task, self.status, self.updates, *self.loss.values()))


_PARTS = tuple(part for part in fields(Record) if part.name not in ("errors_by_way", "made_of"))
_HINTS = tuple(get_type_hints(Record)[part.name] for part in _PARTS)


@dataclass(frozen=True)
class _RungFacts:
    """What the words of a rung are made of."""

    method: Reason
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class _LadderFacts:
    """What the words of a ladder are made of."""

    rungs: Mapping[str, _RungFacts]
    cautions: tuple[Reason, ...]

    @classmethod
    def of(cls, ladder: Ladder) -> "_LadderFacts":
        """Of a ladder."""
        return cls({rung.name: _RungFacts(rung.method, rung.reasons) for rung in ladder.rungs}, ladder.cautions)


@dataclass(frozen=True)
class _RungForm:
    """The numbers of a rung in a file."""

    standard_errors: Mapping[str, float] | None
    intervals_95: Mapping[str, Interval]


@dataclass(frozen=True)
class _LadderForm:
    """The numbers of a ladder in a file."""

    plain: str
    rungs: Mapping[str, _RungForm]


def _check_parts(record: Record) -> None:
    """Refuse parts that do not belong together, and facts without the numbers that their words need.

    Raises:
        InputError: naming the part.
    """
    names, normalized = record.parameters.keys(), record.normalized_input
    sound = {
        "loss": {"train", "val"} <= record.loss.keys(),
        "n_observations": {"train", "val"} <= record.n_observations.keys(),
        "original_units": record.original_units is None or record.original_units.keys() == names,
        "normalized_input": normalized is None or bool(normalized.pairs),
    }
    for name, matrix in {"covariance": record.covariance, "correlation": record.correlation}.items():
        sizes = set() if matrix is None else {len(matrix.parameters), len(matrix.matrix), *map(len, matrix.matrix)}
        sound[name] = matrix is None or (len(sizes) == 1 and set(matrix.parameters) <= names)
    for part in ("least_squares", "likelihood"):
        criteria = getattr(record, part)
        sound[part] = criteria is None or (criteria.aic is None) == (criteria.bic is None)
    bands = None if record.provenance is None else record.provenance.bands
    if bands is not None:
        square = len(bands.root) == len(bands.theta) and len({*map(len, bands.root)}) <= 1
        sound["bands"] = square and bands.quantile > 0 and _is_at_estimates(record, bands)
    for name, is_sound in sound.items():
        if not is_sound:
            raise InputError(f"has {name} that does not go with the rest")
    try:
        record.to_plain()
    except (KeyError, IndexError, TypeError, ValueError, OverflowError) as wrong:
        raise InputError(f"has facts without the numbers that their words need ({wrong!r:.60})") from wrong


def _is_at_estimates(record: Record, bands: BandRoot) -> bool:
    """Whether a curve's parameters are those of the estimates: each free one, by its value where that is plain."""
    described = None if record.model is None else record.model.parameters
    if described is None:
        return False
    free = {name: spec for name, spec in described.items() if spec.fixed is None}
    if bands.theta.keys() != free.keys() or not record.parameters.keys() >= free.keys():
        return False
    return all(
        math.isclose(bands.theta[name], record.parameters[name].estimate, rel_tol=_SAME)
        for name, spec in free.items()
        if spec.lower is None and spec.upper is None
    )


def _provenance(plain: Mapping[str, Any]) -> Provenance | None:
    """Data, model and objective, where the file tells them."""
    digests = value_from(plain, "fingerprint", str | None)
    model, objective = (
        value_from(plain, "model", ModelDescription | None),
        value_from(plain, "objective", ObjectiveDescription | None),
    )
    if digests is None or model is None or objective is None:
        return None
    try:
        fingerprint = Fingerprint.read(digests)
    except ValueError:
        raise InputError(f"says {digests!r:.40} for fingerprint, which cannot be") from None
    return Provenance(fingerprint, model, objective, value_from(plain, "bands", BandRoot | None))


def _ladder(form: _LadderForm, facts: _LadderFacts, estimates: dict[str, float]) -> Ladder:
    if list(form.rungs) != list(facts.rungs):
        raise InputError("has other rungs in ladder than in facts.ladder")
    rungs = tuple(
        Rung(name, _maybe(rung.standard_errors), dict(rung.intervals_95), words.method, words.reasons)
        for (name, rung), words in zip(form.rungs.items(), facts.rungs.values(), strict=True)
    )
    return Ladder(estimates, rungs, form.plain, facts.cautions)


def _maybe(errors: Mapping[str, float] | None) -> dict[str, float] | None:
    return None if errors is None else dict(errors)
