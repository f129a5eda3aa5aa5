"""The fit report, as people read it: one form for every way in which a fit was made."""

import io
import json
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console
from torch import nn

from paramfit.errors import InputError
from paramfit.export.estimate_table import csv_table
from paramfit.facts import Fact, FactKind, Status
from paramfit.inference.loss_function import element_names
from paramfit.results.record import Estimate, NamedMatrix, NormalizedInput, Record
from paramfit.results.report import fit_report, is_network, print_report
from paramfit.results.statistics import SigmaIs
from paramfit.results.verdict import Verdict
from tests.results.records import CURVE, LESSON, SAMPLE, SOLVED


def printed(result: Record, width: int = 100) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(fit_report(result))
    return out.getvalue()


HELD_OUT = replace(LESSON, n_observations={"train": 9, "val": 2}, loss={"train": 2.9, "val": 3.1})


def row(text: str, name: str) -> str:
    return next(line for line in text.splitlines() if line.strip().startswith(name))


def changed(**statistics: Any) -> Record:
    assert CURVE.least_squares is not None
    return replace(CURVE, least_squares=replace(CURVE.least_squares, **statistics))


def test_headline_says_what_ended_how_and_why():
    headline = printed(LESSON).splitlines()[0]
    assert headline.startswith(
        "ThermometerRegression: limit reached after 5000 updates. All updates that were asked for were made."
    )


@pytest.mark.parametrize(("reason", "begin"), [
    (Fact(FactKind.WITHOUT_INFLUENCE, ("mu", "s")), "mu and s are where no prediction depends on them"),
    (Fact(FactKind.RUN_OFF, ("mu",), {"start": 1.0, "value": 1e9}), "mu started at 1 and has run off to 1e+09"),
    (Fact(FactKind.GRADIENT_NOT_FINITE, ("mu",), {"update": 3}), "The gradient of mu at update 3 is not finite"),
    ("muon counts are few", "Muon counts are few"),
    ("", ""),
])  # fmt: skip
def test_reason_begins_with_a_capital_but_leaves_a_parameters_name_as_it_is(reason, begin):
    assert f"after 6 updates. {begin}" in " ".join(printed(replace(CURVE, stop_reason=reason), 300).split())


@pytest.mark.parametrize(("distance", "status", "has_errors", "is_told"), [
    (0.5, Status.LIMIT_REACHED, True, True),
    (None, Status.LIMIT_REACHED, True, True),  # as of a Hessian without a minimum
    (None, Status.STOPPED_EARLY, True, True),
    (None, Status.LIMIT_REACHED, False, False),
    (0.001, Status.CONVERGED, True, False),
])  # fmt: skip
def test_errors_of_an_unfinished_descent_are_told_to_be_such(distance, status, has_errors, is_told):
    matrix = NamedMatrix(("weight", "bias"), ((0.1, 0.0), (0.0, 3.0))) if has_errors else None
    descent = replace(LESSON, distance_to_optimum_in_standard_errors=distance, status=status, covariance=matrix)
    assert ("those of an unfinished fit" in printed(descent)) == is_told


def test_verdict_is_silent_where_nothing_is_held_out():
    assert "fit verdict" in printed(HELD_OUT)
    assert "fit verdict" not in printed(LESSON)


def test_headline_and_table_give_one_number_for_the_distance():
    close = Fact(FactKind.CLOSE_TO_OPTIMUM, numbers={"distance": 0.001857, "threshold": 0.01})
    text = printed(replace(LESSON, stop_reason=close, distance_to_optimum_in_standard_errors=0.001857))
    assert text.count("0.00186 standard errors") == 2


def test_lesson_and_solved_fit_have_the_same_table():
    own, scaled = printed(LESSON).split("z = 0.1 x")
    assert "data's own units" in own
    assert row(own, "weight").split() == [
        "weight", "0.537", "±", "0.036", "0.456", "to", "0.617", "0.536772", "0.55556",
    ]  # fmt: skip
    assert row(scaled, "bias").split() == ["bias", "-17.3", "±", "1.9", "-21.7", "to", "-12.9", "-17.3048", "1.4e-03"]
    text = printed(CURVE)
    assert row(text, "b1").split() == ["b1", "238.9", "±", "2.7", "kPa", "233.0", "to", "244.8"]
    assert row(text, "b2").split() == ["b2", "(5.502", "±", "0.073)e-04", "5.343e-04", "to", "5.660e-04"]


def test_unfinished_fit_has_six_digits():
    early = replace(LESSON, distance_to_optimum_in_standard_errors=1.2, updates_to_converge=1234)
    text = printed(early)
    assert "5.3671 ± 0.355386  4.5631 to 6.171" in " ".join(row(text.split("z =")[1], "weight").split()).replace(
        "0.355386 ", "0.355386  "
    )
    assert "1.2 standard errors (not converged); about 1234 more updates" in text
    assert "those of an unfinished fit" in text


def test_gradient_belongs_to_the_scaled_table_and_one_table_is_enough_without_normalisation():
    own, scaled = printed(LESSON).split("z = ")
    assert ("dL/dθ" in own, "dL/dθ" in scaled) == (False, True)
    text = printed(replace(LESSON, normalized_input=None, original_units=None))
    assert "own units" not in text
    assert [line.split()[-1] for line in text.splitlines() if line.split()[:1] == ["weight"]] == ["-2.5e-04"]


@pytest.mark.parametrize(("estimate", "words"), [
    (Estimate(3.0, fixed=True), "fixed"),
    (Estimate(0.0, at_bound="lower"), "at its lower bound"),
    (Estimate(3.0), "undetermined"),
], ids=["fixed", "at bound", "undetermined"])  # fmt: skip
def test_parameter_without_interval_says_why(estimate, words):
    text = printed(replace(CURVE, parameters={**CURVE.parameters, "b3": estimate}))
    assert words in row(text, "b3")
    assert "±" not in row(text, "b3")


def test_statistics_of_least_squares():
    text = printed(CURVE)
    assert "14 train; 12 degrees of freedom" in row(text, "observations")
    assert "0.101879" in row(text, "residual std. dev.")
    assert "0.999988" in row(text, "R²")
    assert row(text, "AIC").split() == ["AIC", "-20.2,", "AICc", "-17.8,", "BIC", "-18.3"]
    assert "Student's t with 12 degrees of freedom" in row(text, "errors from")
    assert "b1 and b2 −0.9987" in row(text, "correlations")
    assert "chi-square" not in text
    assert "distance to optimum" not in text
    theirs = printed(changed(chi_square=11.25, chi_square_probability=0.5077, sigma_is=SigmaIs.ABSOLUTE))
    assert "11.25, probability 0.508" in row(theirs, "chi-square")
    assert "(in sigma)" in row(theirs, "residual std. dev.")


@pytest.mark.parametrize(
    ("name", "label"), [("r_squared", "R²"), ("residual_standard_deviation", "residual std. dev."), ("aic", "AIC")]
)
def test_number_that_is_missing_has_no_line(name, label):
    assert label in printed(CURVE)
    assert label not in printed(changed(**{name: None}))


def test_descended_likelihood_has_its_criteria_beside_what_the_descent_tells():
    text = printed(SAMPLE)
    for words in (
        "-14262.1",
        "28526.2, AICc 28526.3, BIC 28533.4",
        "closed form",
        "dL/dθ",
        "mm",
        "warning: be careful",
    ):
        assert words in text
    assert "0.0021 standard errors (converged)" in text
    solved = printed(replace(SAMPLE, reasons=SOLVED))
    assert "-14262.1" in solved
    assert "distance to optimum" not in solved


def test_correlations_above_nine_tenths_are_listed_strongest_first_and_cut():
    matrix = ((1.0, 0.91, -0.95), (0.91, 1.0, 0.89), (-0.95, 0.89, 1.0))
    three = printed(replace(CURVE, correlation=NamedMatrix(("b1", "b2", "b3"), matrix)))
    assert "b1 and b3 −0.9500, b1 and b2 +0.9100" in row(three, "correlations")
    assert "b2 and b3" not in three
    five = NamedMatrix(tuple("abcde"), tuple(tuple(1.0 if i == j else 0.95 for j in range(5)) for i in range(5)))
    text = " ".join(printed(replace(CURVE, correlation=five)).split())
    assert text.count("+0.9500") == 6
    assert "4 more above 0.9" in text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda: replace(LESSON, distance_to_optimum_in_standard_errors=0.0099), "(converged)"),
        (lambda: replace(LESSON, distance_to_optimum_in_standard_errors=0.0101), "(not converged)"),
        (lambda: replace(LESSON, distance_to_optimum_in_standard_errors=None,
            reasons={"distance_to_optimum_in_standard_errors": (Fact(FactKind.PENALISED),)}),
            "not known: a penalty is on"),
        (lambda: replace(HELD_OUT, verdict=Verdict.OVERFITTING, reasons={"verdict": ("the validation loss rose",)}),
            "overfitting: the validation loss rose"),
        (lambda: replace(CURVE, cautions=("sigma is too small",)), "warning: sigma is too small"),
        (lambda: replace(CURVE, method=Fact(FactKind.NO_METHOD),
            reasons={**SOLVED, "standard_error": (Fact(FactKind.JACOBIAN_NOT_FINITE),)}),
            "none: the Jacobian is not finite"),
        (lambda: replace(CURVE, loss={"train": 0.5, "val": 0.75}), "train 0.5, val 0.75"),
        (lambda: replace(CURVE, normalized_input=NormalizedInput(1.0, 0.5)), "which this model cannot undo"),
        (lambda: replace(LESSON, status=Status.DIVERGED), "diverged after"),
    ],
    ids=["close", "far", "no distance", "verdict", "warning", "no error", "held out", "not undone", "diverged"],
)  # fmt: skip
def test_what_a_record_holds_is_shown(change, words):
    assert words in " ".join(printed(change()).split())


def test_report_fits_into_eighty_columns_and_a_file_is_not_cut_there():
    text = printed(CURVE, width=80)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80
    out = io.StringIO()
    print_report(fit_report(LESSON), Console(file=out))
    assert "…" not in out.getvalue()


def test_names_and_units_are_shown_to_the_letter():
    estimates = {
        "[/day]": Estimate(1.5, 0.1, (1.3, 1.7), unit="[m/s]"),
        "[bold]b[/bold]": Estimate(2.0, unit="a\nb\x1b"),
    }
    record = replace(CURVE, parameters=estimates, correlation=None, cautions=("[/q] is odd",), task="[/red]")
    text = printed(record)
    for words in ("[/day]", "[m/s]", "[bold]b[/bold]", r"a\nb\x1b", "warning: [/q] is odd", "[/red]: converged"):
        assert words in text
    assert "\x1b" not in text


def test_solved_fit_that_has_not_converged_has_six_digits():
    covariance = NamedMatrix(("b1",), ((7.0,),))
    text = printed(replace(CURVE, status=Status.LIMIT_REACHED, covariance=covariance))
    assert "238.942 ± 2.70701" in text
    assert "those of an unfinished fit" in text


def weights(**changes: Any) -> Record:
    """A network's record: eight weights that cannot be told apart."""
    names = [f"layers.0.weight[{k},0]" for k in range(8)]
    table = {name: CURVE.parameters["b1"] for name in names}
    open_ = {"standard_error": (Fact(FactKind.TOO_FEW_OBSERVATIONS, numbers={"observations": 6, "parameters": 8}),)}
    return replace(CURVE, parameters=table, reasons={**SOLVED, **open_}, correlation=None, **changes)


def test_a_network_has_no_table_of_its_weights_but_its_loss():
    text = printed(weights(loss={"train": 0.25, "val": None}))
    assert "8 parameters, in estimates.json" in text
    assert "layers.0" not in text
    assert row(text, "loss").split() == ["loss", "train", "0.25"]
    assert "errors from" not in text


def test_who_asks_for_the_table_has_it_and_who_does_not_has_none():
    assert "layers.0.weight[7,0]" in printed(weights(table=True))
    without = printed(replace(CURVE, table=False))
    assert "b1" not in without
    assert "R²" in without
    assert "--report.table" not in without
    assert not is_network(CURVE)


def record_of(model: nn.Module, **changes: Any) -> Record:
    """A record of a model whose parameters all have an error, with no word of any that cannot be told apart."""
    table = {name: CURVE.parameters["b1"] for name in element_names(model)}
    return replace(CURVE, parameters=table, correlation=None, cautions=(), **changes)


def frozen_features() -> nn.Module:
    """A layer of random features, which is not fitted, and weights of them, which are told apart."""
    model = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))
    model[0].requires_grad_(False)
    return model


HIDDEN_LAYERS = {
    "perceptron": nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1)),
    "two units": nn.Sequential(nn.Linear(1, 2), nn.Tanh(), nn.Linear(2, 1)),
    "no bias": nn.Sequential(nn.Linear(3, 2, bias=False), nn.ReLU(), nn.Linear(2, 1, bias=False)),
    "convolution": nn.Sequential(nn.Conv1d(1, 2, 3), nn.Tanh(), nn.Flatten(), nn.Linear(4, 1)),
    "recurrent": nn.RNN(1, 2),
}


@pytest.mark.parametrize("model", HIDDEN_LAYERS.values(), ids=HIDDEN_LAYERS)
def test_a_hidden_layer_makes_a_network_however_many_observations_there_are(model):
    record = record_of(model)
    for result in (record, Record.from_plain(json.loads(record.to_json()))):
        text = printed(result)
        assert f"{len(record.parameters)} parameters, in estimates.json: they are weights of layers" in " ".join(
            text.split()
        )
        assert "[0,0" not in text
        assert csv_table(result).startswith("quantity,part")
    assert "[0,0" in printed(record_of(model, table=True))
    assert "[0,0" in csv_table(record_of(model, table=True))


@pytest.mark.parametrize("model", [
    nn.Linear(1, 1), nn.Linear(12, 1), nn.Linear(4, 3), nn.Sequential(nn.Linear(9, 1), nn.Softplus()), frozen_features()
])  # fmt: skip
def test_weights_of_one_layer_have_their_table(model):
    record = record_of(model)
    assert not is_network(record)
    assert all(name in printed(record) for name in record.parameters)
    assert csv_table(record).startswith("parameter,")


@pytest.mark.parametrize("table", [None, False, True])
def test_what_was_said_of_the_table_is_kept(table):
    record = replace(CURVE, table=table)
    again = Record.from_plain(json.loads(record.to_json()))
    assert again == record
    assert again.table is table
    assert ("table" in record.to_plain()) is (table is not None)  # so that older files are read as before


@pytest.mark.parametrize("said", ["false", 1, []])
def test_a_table_that_is_neither_there_nor_not_is_refused(said):
    with pytest.raises(InputError, match="for table, which cannot be"):
        Record.from_plain({**json.loads(CURVE.to_json()), "table": said})


def test_criteria_that_an_unfinished_fit_has_not_are_explained():
    unfinished = replace(changed(aic=None, aicc=None, bic=None),
        reasons={**SOLVED, "information_criteria": (Fact(FactKind.NOT_AT_MAXIMUM),)})  # fmt: skip
    assert row(printed(unfinished), "AIC").split("  ")[-1].strip().startswith("none: the fit is unfinished")
