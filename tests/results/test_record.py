"""The outcome of a fit as JSON, and back."""

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from paramfit import DistributionModel, Fact, FactKind, FormulaModel, HuberError, InputError, Ladder, Rung
from paramfit.results.fingerprint import Fingerprint
from paramfit.results.provenance import BandRoot, Provenance, describe_model, describe_objective
from paramfit.results.record import Estimate, NormalizedInput, Record
from tests.results.records import CURVE, LESSON, SAMPLE

# The keys that other programs rely on.
PROMISED = {
    "task", "status", "reason", "updates", "loss", "n_observations", "parameters", "normalized_input", "original_units",
    "distance_to_optimum_in_standard_errors", "learning_rate_limit", "condition_number", "distances_per_parameter",
    "updates_to_converge", "verdict", "verdict_updates", "uncertainty", "notes", "covariance", "correlation",
    "least_squares", "likelihood", "warnings", "ladder", "fingerprint", "model", "objective",
}  # fmt: skip


def with_weight(weight: Estimate) -> Record:
    return replace(LESSON, parameters={"weight": weight}, original_units=None, loss={"train": 1 / 3, "val": None})


def read(text: str) -> Record:
    return Record.from_plain(json.loads(text))


def test_promised_keys_are_there():
    plain = json.loads(LESSON.to_json())
    assert plain.keys() >= PROMISED
    assert plain["parameters"]["weight"].keys() >= {"estimate", "standard_error", "interval_95", "gradient"}
    assert plain["normalized_input"] == {"shift": 0.0, "scale": 0.1}
    assert plain["distance_to_optimum_in_standard_errors"] == 0.0021
    assert plain["learning_rate_limit"] is None
    assert json.loads(CURVE.to_json())["correlation"]["matrix"] == [[1.0, -0.9987], [-0.9987, 1.0]]
    assert LESSON.to_json().endswith("}\n")


def test_numbers_keep_their_full_precision():
    plain = json.loads(with_weight(Estimate(0.1 + 0.2, 1e-300, (-math.pi, math.pi))).to_json())
    assert plain["loss"] == {"train": 1 / 3, "val": None}
    weight = plain["parameters"]["weight"]
    assert (weight["estimate"], weight["standard_error"]) == (0.1 + 0.2, 1e-300)
    assert weight["interval_95"] == [-math.pi, math.pi]
    assert plain["verdict_updates"] == [3750, 5000]


@pytest.mark.parametrize(
    ("value", "text"), [(math.nan, "nan"), (math.inf, "inf"), (-math.inf, "-inf")], ids=["nan", "inf", "-inf"]
)
def test_numbers_that_are_not_finite_are_strings_and_come_back_as_numbers(value, text):
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    record = with_weight(Estimate(value, interval_95=(value, 1.0)))
    weight = json.loads(record.to_json(), parse_constant=refuse)["parameters"]["weight"]
    assert weight["estimate"] == text
    assert weight["interval_95"] == [text, 1.0]
    again = read(record.to_json())
    assert str(again.parameters["weight"].estimate) == str(value)
    assert again == record


RUNGS = (
    Rung("sandwich", {"b1": 0.5}, {"b1": (-math.inf, None)}, Fact(FactKind.OUTER_PRODUCTS_OF_SCORES)),
    Rung("profile likelihood", None, {}, "a way of one's own", (Fact(FactKind.RESIDUALS_ZERO),)),
)
CAUTIONS = (
    "words of one's own",
    Fact(FactKind.INSEPARABLE, ("b1", "b2"), {"shares": (1.0, -math.inf)}, cure=Fact(FactKind.FIX_ONE)),
    Fact(FactKind.NOT_CONVERGED, numbers={"status": "stalled"}, cause=Fact(FactKind.FROZEN, (), {"update": 3})),
    Fact(FactKind.LOSS_NOT_FINITE, numbers={"update": 2, "value": math.nan, "sure": True, "none": None}),
)
RECORDS = {
    "lesson": LESSON,
    "curve": CURVE,
    "sample": SAMPLE,
    "ladder": replace(CURVE, errors_by_way=Ladder({"b1": 1.0, "b2": 2.0}, RUNGS, "sandwich")),
    "several inputs": replace(LESSON, normalized_input=NormalizedInput((1.0, 2.0), (0.5, 4.0))),
    "provenance": replace(CURVE, made_of=Provenance(Fingerprint("a", None, ("b", "c")),
        describe_model(FormulaModel("b1*x + b2", ["x"], {"b1": {"start": 1, "lower": 0}, "b2": None})),
        describe_objective(HuberError(1.0)),
        BandRoot({"b1": 0.1, "b2": 5.5015643181e-4}, ((0.1, 0.0), (1 / 3, 1.0)), 1.96, math.nan, weighted=True,
            of_mean=False))),
    "distribution": replace(SAMPLE, made_of=Provenance(Fingerprint("a", "s", ()),
        describe_model(DistributionModel("torch.distributions.Poisson", {"rate": 2.0})),
        describe_objective(HuberError(1.0)))),
}  # fmt: skip


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
def test_record_comes_back_as_it_was(record):
    again = read(record.to_json())
    assert again == record
    assert again.to_json() == record.to_json()
    assert hash(again) == hash(record)
    assert again.is_solved == record.is_solved
    assert again.cautions == record.cautions
    assert again.stop_reason == record.stop_reason


def test_facts_come_back_with_their_types():
    record = replace(CURVE, cautions=CAUTIONS[:2])
    assert read(record.to_json()).cautions == CAUTIONS[:2]
    plain = record.to_plain()
    plain["facts"]["warnings"].append({"kind": "loss_not_finite", "numbers": {"update": 2, "value": "nan", "n": 1.0}})
    numbers = Record.from_plain(plain).cautions[-1].numbers  # type: ignore[union-attr]
    assert [type(value) for value in numbers.values()] == [int, float, float]


@pytest.mark.parametrize("other", [
    replace(LESSON, updates=4999),
    replace(LESSON, distance_to_optimum_in_standard_errors=math.nextafter(0.0021, 1)),
    replace(LESSON, stop_reason="another"),
    replace(LESSON, cautions=("one more",)),
    CURVE,
], ids=["count", "last bit", "reason", "caution", "another fit"])  # fmt: skip
def test_records_that_differ_in_one_fact_are_not_equal(other):
    assert other != LESSON


BROKEN: dict[str, tuple[tuple[str | int, ...], Any, str]] = {
    "status": (("status",), "finished", "says 'finished' for status, which cannot be"),
    "number for text": (("task",), 7, "says 7 for task"),
    "text for a number": (("parameters", "b1", "estimate"), "big", "says 'big' for parameters.b1.estimate"),
    "truth for a number": (("updates",), True, "says True for updates"),
    "list for a mapping": (("loss",), [], r"says \[\] for loss"),
    "short row": (("parameters", "b1", "interval_95"), [1.0], "for parameters.b1.interval_95"),
    "kind": (("facts", "reason"), {"kind": "luck"}, "says 'luck' for facts.reason.kind"),
    "no numbers for the words": (("facts", "uncertainty", "numbers"), {}, "has facts without the numbers"),
    "short matrix": (("correlation", "matrix"), [[1.0]], "has correlation that does not go with the rest"),
    "no counts": (("n_observations",), {}, "has n_observations that does not go with the rest"),
    "huge": (("parameters", "b1", "estimate"), 10**400, "for parameters.b1.estimate, which cannot be"),
    "word in a matrix": (("correlation", "matrix", 0, 1), "x", r"says 'x' for correlation.matrix\[0\]\[1\]"),
}


@pytest.mark.parametrize(("place", "value", "words"), BROKEN.values(), ids=BROKEN)
def test_damage_is_refused_by_its_place(place, value, words):
    plain: Any = json.loads(CURVE.to_json())
    inner = plain
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    with pytest.raises(InputError, match=words) as refusal:
        Record.from_plain(plain)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("change", [
    {"theta": {"b1": 0.1, "b2": 5.6e-4}}, {"theta": {"b1": 0.1, "other": 5.5015643181e-4}}, {"quantile": -1.96},
    {"root": ((0.1, 0.0),)}, {"quantile": math.nan},
], ids=["value", "name", "quantile", "rows", "nan"])  # fmt: skip
def test_a_curve_of_other_parameters_than_the_estimates_is_refused(change):
    made = RECORDS["provenance"].made_of
    other = replace(CURVE, made_of=replace(made, bands=replace(made.bands, **change)))
    with pytest.raises(InputError, match=r"^has bands that does not go with the rest"):
        read(other.to_json())


@pytest.mark.parametrize("key", ["status", "parameters", "facts", "covariance"])
def test_file_of_an_older_version_is_refused_by_what_it_has_not(key):
    plain = CURVE.to_plain()
    del plain[key]
    with pytest.raises(InputError, match=f"^has no {key}, as files of an older version have not"):
        Record.from_plain(plain)


def test_words_are_not_read():
    plain = CURVE.to_plain()
    plain |= {"reason": "x", "warnings": ["x"], "uncertainty": "x", "notes": {"x": "x"}}
    assert Record.from_plain(plain) == CURVE


def test_statistics_are_read_by_name_and_by_key():
    assert CURVE.least_squares["r_squared"] == CURVE.least_squares.r_squared == 0.99998765
    assert CURVE.correlation["parameters"] == ["b1", "b2"]
    with pytest.raises(KeyError):
        CURVE.least_squares["rr"]
