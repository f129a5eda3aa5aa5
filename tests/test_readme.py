"""What the README tells a reader to type works."""

import json
import re
import shlex
from pathlib import Path

import pytest

from paramfit.cli import main
from paramfit.cli.front_door import EXIT_CODES

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    return [text for name, text in fenced if name == language]


def in_one_line(text: str) -> str:
    """Without line breaks, which follow the width of the screen."""
    return " ".join(text.split())


def assert_printed(shown: str, printed: str) -> None:
    """Each part of a block, between lines and ends with dots, is in what was printed."""
    for part in shown.split("..."):
        assert in_one_line(part) in in_one_line(printed)


def test_the_model_of_ones_own_is_fitted_by_the_command_beside_it(own_directory: Path) -> None:
    module = next(block for block in blocks("python") if "class FreezingPoint" in block)
    (own_directory / "freezing.py").write_text(module, encoding="utf-8")
    assert len([line for line in module.splitlines() if line.strip()]) <= 10
    command = next(line for block in blocks("") for line in block.splitlines() if "freezing.FreezingPoint" in line)
    assert main([*shlex.split(command)[1:], "--plots.enabled", "false"]) == 0
    run = own_directory / "lightning_logs" / "Regression" / "version_0"
    freezing = json.loads((run / "estimates.json").read_text())["parameters"]["freezing"]
    # the line's own least-squares estimates: -bias / weight
    assert freezing["estimate"] == pytest.approx(17.304785503010798 / 0.5367719209075443, rel=1e-4)


def test_the_use_from_python_prints_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    program = next(block for block in blocks("python") if "load_from_checkpoint" in block)
    exec(compile(program, "README.md", "exec"), {})
    estimate, prediction = capsys.readouterr().out.splitlines()[-2:]
    assert estimate.startswith("0.5367")
    value = re.search(r"tensor\(\[([\d.]+)\]", prediction)
    assert value is not None
    assert float(value[1]) == pytest.approx(0.5367 * 50 - 17.301, abs=1e-2)


def test_the_table_of_ones_own_is_the_worked_example() -> None:
    shown = next(block for block in blocks("yaml") if "FormulaModel" in block)
    file = Path(__file__).parent.parent / "configs" / "table" / "saturation.yaml"
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert shown.splitlines() == lines


def test_the_report_of_ones_own_table_is_as_printed(capsys: pytest.CaptureFixture[str], own_directory: Path) -> None:
    (own_directory / "configs").symlink_to(Path(__file__).parent.parent / "configs")
    assert main(["fit", "--config", "configs/table/saturation.yaml", "--plots.enabled", "false"]) == 0
    shown = next(block for block in blocks("") if "residual std. dev." in block)
    report = shown[shown.index("Estimates") :]  # after the headline, which has rounding in it
    assert_printed(report, capsys.readouterr().out)


def test_the_distribution_of_ones_own_is_the_worked_example() -> None:
    shown = next(block for block in blocks("yaml") if "DistributionModel" in block)
    file = Path(__file__).parent.parent / "configs" / "likelihood" / "waiting_times.yaml"
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert shown.splitlines() == lines


def test_the_report_and_the_ladder_of_a_distribution_are_as_printed(
    capsys: pytest.CaptureFixture[str], own_directory: Path
) -> None:
    (own_directory / "configs").symlink_to(Path(__file__).parent.parent / "configs")
    assert main(["fit", "--config", "configs/likelihood/waiting_times.yaml", "--plots.enabled", "false"]) == 0
    printed = capsys.readouterr().out
    for beginning in ("MaximumLikelihood: converged", "Can these errors be trusted?"):
        assert_printed(next(block for block in blocks("") if block.startswith(beginning)), printed)


def test_the_comparison_prints_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    program = next(block for block in blocks("python") if "paramfit.compare(" in block)
    exec(compile(program, "README.md", "exec"), {})
    shown = next(block for block in blocks("") if "smaller in larger" in block)
    assert_printed(shown, capsys.readouterr().out)


def test_the_fit_in_a_notebook_prints_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    program = next(block for block in blocks("python") if "paramfit.fit(" in block)
    exec(compile(program, "README.md", "exec"), {})
    estimate, error = capsys.readouterr().out.splitlines()[0].split()
    assert float(estimate) == pytest.approx(5.4723748542e-01, rel=1e-9)  # as certified by NIST
    assert float(error) == pytest.approx(1.0455993237e-01, rel=1e-9)


def test_every_link_and_picture_is_there() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (Path(__file__).parent.parent / target).exists(), target


def test_the_exit_codes_are_all_told() -> None:
    table = README[README.index("| exit code |") :].split("\n\n")[0]
    told = {int(code) for code in re.findall(r"\b(\d+)\b", "".join(line.split("|")[1] for line in table.splitlines()))}
    assert told == set(EXIT_CODES) - {1}
