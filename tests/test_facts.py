"""Words are made of facts, and nothing reads them: with every template replaced by a nonce nothing else changes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import paramfit
from paramfit.cli import main
from paramfit.facts import Fact, FactKind, Reason
from paramfit.shown import words
from paramfit.wording import nearest_names, printable, quoted

X = np.linspace(0.1, 4.0, 30)
Y = 3 * np.exp(-0.8 * X) + 0.5 + 0.05 * np.random.default_rng(2).normal(size=30)
CONFIGS = Path(__file__).parent.parent / "configs"
WORDS_IN_FILES = {"reason", "notes", "uncertainty", "warnings", "method"}
PEAK = np.exp(-(((X - 1.2) / 0.3) ** 2)) + 0.02 * np.cos(31 * X)


def decay(**limits: Any) -> paramfit.FormulaModel:
    return paramfit.FormulaModel("a*exp(-k*x) + c", ["x"], {"a": 2, "k": {"start": 1, **limits}, "c": 0})


FITS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "converged": (decay(), (X, Y), {}),
    "bounds": (decay(lower=0.95, upper=5), (X, Y), {"sigma": 0.05}),
    "sigma too small": (decay(), (X, Y), {"sigma": 0.001}),
    "limit": (decay(), (X, Y), {"max_iterations": 1}),
    "nothing left": (paramfit.PolynomialModel(2), (X[:3], Y[:3]), {}),
    "inseparable": (paramfit.FormulaModel("a*b*x", ["x"], {"a": 1, "b": 1}), (X, Y), {}),
    "run off": (paramfit.FormulaModel("1 - 1/(1 + m*x)", ["x"], {"m": 1}), (X, 1 + 0.1 * np.cos(9 * X)), {}),
    "equal starts": (
        paramfit.FormulaModel("a*exp(-k*x) + b*exp(-l*x)", ["x"], {"a": 1, "k": 1, "b": 1, "l": 1}),
        (X, Y),
        {},
    ),
    "far start": (paramfit.FormulaModel("c*exp(-((x-m)/s)^2)", ["x"], {"c": 1, "m": 3.5, "s": 0.1}), (X, PEAK), {}),
    "wrong model": (paramfit.FormulaModel("a*x/(k+x)", ["x"], {"a": None, "k": 1}), (X, PEAK), {}),
    "edge of the domain": (
        paramfit.DistributionModel("torch.distributions.Poisson", {"rate": "a+b*x"}, {"a": 2, "b": 0}),
        (np.arange(6.0), np.array([0.0, 0, 0, 2, 3, 6])),
        {},
    ),
    "separated": (
        paramfit.DistributionModel("torch.distributions.Bernoulli", {"logits": "a+b*x"}, {"a": 0, "b": 0}),
        (np.arange(6.0), np.array([0.0, 0, 0, 1, 1, 1])),
        {},
    ),
    "no maximum": (
        paramfit.DistributionModel("torch.distributions.StudentT", {"df": None, "loc": None, "scale": None}),
        (np.linspace(-1, 1, 60),),
        {},
    ),
    "kink": (paramfit.DistributionModel("torch.distributions.Laplace", {"loc": None, "scale": None}), (Y,), {}),
    "correlated": (paramfit.PolynomialModel(4), (X + 100, Y), {}),
}


@pytest.fixture
def nonces(monkeypatch: pytest.MonkeyPatch) -> None:
    for number, kind in enumerate(words.WORDS):
        monkeypatch.setitem(words.WORDS, kind, f"zq{number}")


def facts_in(value: Any) -> Iterator[Fact]:
    if isinstance(value, Fact):
        yield value
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from facts_in(inner)


def without_words(value: Any, *, inside_facts: bool = False) -> Any:
    """A file's numbers and facts, without its words."""
    if isinstance(value, dict):
        return {
            key: without_words(inner, inside_facts=inside_facts or key == "facts")
            for key, inner in value.items()
            if inside_facts or key not in WORDS_IN_FILES
        }
    return [without_words(inner, inside_facts=inside_facts) for inner in value] if isinstance(value, list) else value


def fitted(name: str) -> tuple[Any, Any, str]:
    model, data, options = FITS[name]
    result = paramfit.fit(model, data, **options)
    try:
        result = result.with_ladder(result.ladder())
    except paramfit.InputError:
        assert name == "nothing left"
    return result.record, without_words(result.to_plain()), result.report()


@pytest.fixture(scope="module")
def expected() -> dict[str, tuple[Any, Any, str]]:
    """All fits in their own words."""
    return {name: fitted(name) for name in FITS}


def test_every_kind_of_fact_has_its_words():
    assert set(words.WORDS) == set(FactKind)


@pytest.mark.parametrize("name", FITS)
def test_fit_is_the_same_in_other_words(name, expected, nonces):
    record, plain, report = fitted(name)
    before, plain_before, report_before = expected[name]
    assert plain == plain_before
    assert (record.status, record.stop_reason, record.cautions) == (before.status, before.stop_reason, before.cautions)
    assert report != report_before
    assert "zq" in report


def run(config: str, folder: str) -> tuple[int, Any]:
    options = ["--trainer.enable_progress_bar", "false", "--plots.enabled", "false", "--name", folder]
    code = main(["fit", "--config", str(CONFIGS / config), *options])
    (file,) = Path("lightning_logs", folder).rglob("estimates.json")
    return code, without_words(json.loads(file.read_text()))


SLOW = [
    pytest.param(f"{name}.yaml", marks=pytest.mark.slow)
    for name in ("thermometer/overfitting", "gaussian/few_observations")
]


@pytest.mark.parametrize("config", ["thermometer/diverging.yaml", *SLOW])
def test_run_is_the_same_in_other_words(config, request):
    before = run(config, "words")
    request.getfixturevalue("nonces")
    assert run(config, "nonces") == before


def test_cures_are_chosen_by_kind(expected):
    def cures(reasons: tuple[Reason, ...]) -> dict[FactKind, FactKind]:
        return {fact.kind: fact.cure.kind for fact in facts_in(reasons) if fact.cure is not None}

    assert cures(expected["inseparable"][0].cautions)[FactKind.INSEPARABLE] is FactKind.FIX_ONE
    assert cures(expected["correlated"][0].cautions) == {
        FactKind.STRONG_CORRELATION: FactKind.CENTRE_OR_MEASURE_ELSEWHERE
    }


@pytest.mark.parametrize(("name", "theirs", "suggestion"), [
    pytest.param("curent", ["time", "current"], "did you mean 'current'?", id="typing error"),
    pytest.param("TIME", ["time", "current"], "did you mean 'time'?", id="other case"),
    pytest.param("q", ["time", "current"], "there are 'time', 'current'", id="nothing near"),
    pytest.param("q", [], "there is none", id="nothing at all"),
])  # fmt: skip
def test_the_nearest_names_are_suggested_or_all(name, theirs, suggestion):
    assert nearest_names(name, theirs) == suggestion


@pytest.mark.parametrize("text", ["two\nlines", "bell\a", "lone \udcff byte", "x" * 10_000])
def test_quoted_text_is_one_short_line_that_can_be_printed(text):
    shown = quoted(text)
    assert shown.isprintable()
    assert len(shown) < 60


def test_only_what_would_break_a_line_is_quoted():
    assert printable("my data/µ.csv") == "my data/µ.csv"
    assert printable("a\nb.csv") == r"'a\nb.csv'"
