"""Small inputs of the kinds that people bring, with right values from elsewhere: closed forms and other libraries."""

import json
import re
import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from paramfit.cli import main

CASES = Path(__file__).parent / "cases"
RIGHT = json.loads((CASES / "right.json").read_text(encoding="utf-8"))
QUIETLY = ["--plots.enabled", "false", "--trainer.enable_progress_bar", "false"]

pytestmark = pytest.mark.slow  # thirty command lines


@pytest.mark.parametrize("name", RIGHT)
def test_command_line_gives_the_right_answer(name, own_directory, capsys):
    right = RIGHT[name]
    for suffix in (".csv", ".yaml"):
        shutil.copy(CASES / "data" / f"{name}{suffix}", own_directory)
    code = main(["fit", "--config", f"{name}.yaml", *QUIETLY])
    printed, errors = capsys.readouterr()
    assert code == right.get("exit", 0), errors
    if code == 2:
        assert all(word in errors for word in right["error_names"])
        assert not list(own_directory.rglob("estimates.json"))
        return
    (file,) = own_directory.rglob("estimates.json")
    kept = json.loads(file.read_text(encoding="utf-8"))
    assert kept["status"] == right.get("status", "converged")
    check_numbers(kept, right)
    facts = [kept["facts"].get("reason", {}), *kept["facts"].get("warnings", [])]
    assert set(right.get("facts", [])) <= {fact.get("kind") for fact in facts}
    assert set(right.get("about", [])) <= {name for fact in facts for name in fact.get("parameters", [])}
    assert all(text in printed for text in right.get("shows", []))
    if "printed_log_likelihood" in right:
        shown = Decimal(re.search(r"log-likelihood +([0-9.]+)", printed)[1])
        unit = Decimal(1).scaleb(shown.as_tuple().exponent)
        assert unit <= Decimal("0.1")
        assert abs(shown - Decimal(right["printed_log_likelihood"])) <= unit / 2


def check_numbers(kept, right):
    for key, field in (("parameters", "estimate"), ("standard_errors", "standard_error")):
        for name, (value, relative, absolute) in right.get(key, {}).items():
            expected = pytest.approx(value, rel=relative, abs=absolute)
            assert kept["parameters"][name][field] == expected, (name, field)
    if "loss_below" in right:
        assert kept["least_squares"]["residual_sum_of_squares"] <= right["loss_below"]
    if "log_likelihood" in right:
        value, absolute = right["log_likelihood"]
        assert kept["likelihood"]["log_likelihood"] == pytest.approx(value, rel=0, abs=absolute)
    for name, (end, absolute) in right.get("profile_ends", {}).items():
        (profile,) = [rung for title, rung in kept["ladder"]["rungs"].items() if "profile" in title]
        assert profile["intervals_95"][name][1] == pytest.approx(end, rel=0, abs=absolute)
