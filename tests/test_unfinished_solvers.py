"""What is told of a solver that runs out of epochs: as many updates as were made, and whether they led anywhere."""

import json
from pathlib import Path

import pytest

from paramfit.cli import main
from tests.command_line import run_of

CONFIGS = Path(__file__).parents[1] / "configs"
#: The parameters that are not solved for exactly at each point, with their starts in the files.
STARTS = {"table/saturation": {"b2": 1.0}, "likelihood/counts": {"a": 0.0, "b": 0.0}}
DATA = {"table/saturation": "table/data/oxygen.csv", "likelihood/counts": "likelihood/data/aids.csv"}
IS_TOLD = "the first one judges the start, and no trial has led on from there yet"


@pytest.mark.parametrize("case", STARTS)
@pytest.mark.parametrize("epochs", [1, 2, 3, 6])
def test_updates_that_have_not_led_on_from_the_start_are_said_to_have_not(case, epochs, capsys):
    options = ["--data.path", str(CONFIGS / DATA[case]), "--trainer.max_epochs", str(epochs)]
    options += ["--name", "short", "--plots.enabled", "false", "--ladder.enabled", "false"]
    assert main(["fit", "--config", str(CONFIGS / f"{case}.yaml"), *options]) == 0
    written = json.loads((run_of("short") / "estimates.json").read_text(encoding="utf-8"))
    is_at_start = all(written["parameters"][name]["estimate"] == start for name, start in STARTS[case].items())
    assert (IS_TOLD in " ".join(capsys.readouterr().out.split())) is is_at_start
    assert is_at_start or epochs > 1  # the first update looks at the start alone
