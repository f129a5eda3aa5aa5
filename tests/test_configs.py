"""Every configuration under configs/ says what it does, and does what it says."""

import contextlib
import io
import json
import re
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import pytest
import torch

from paramfit import FitResult, load
from paramfit.cli import main

pytestmark = pytest.mark.slow  # every one is a whole run

CONFIGS = Path(__file__).parent.parent / "configs"
FILES = sorted(CONFIGS.rglob("*.yaml"))
EXPECTED_FILES = {
    "gaussian": {"far_start", "far_truth", "few_observations", "float32", "location"},
    "likelihood": {"counts", "remission", "waiting_times"},
    "table": {"breakdown", "copper", "saturation"},
    "thermometer": {"adam", "autograd", "diverging", "long", "normalized", "numerical", "overfitting", "sequential",
        "sgd", "small_learning_rate", "validation"},
}  # fmt: skip
# One of each kind is drawn; the others would only repeat it, at a second or two each.
FIGURES = {
    "thermometer/normalized.yaml": {"scatter.png", "fit.png", "loss_curve.png", "loss_surface.png"},
    "thermometer/overfitting.yaml": {"scatter.png", "fit.png", "loss_curve.png"},
    "gaussian/location.yaml": {"density.png", "histogram.png", "quantiles.png", "loss_curve.png", "loss_surface.png"},
    "table/saturation.yaml": {"scatter.png", "fit.png", "residuals.png", "correlation.png", "loss_surface.png"},
    "table/breakdown.yaml": {"observed.png", "residuals.png", "residuals_by_input.png", "correlation.png"},
    "likelihood/waiting_times.yaml": {"density.png", "histogram.png", "quantiles.png", "correlation.png",
        "loss_surface.png", "profile.png", "contours.png"},
}  # fmt: skip
VERDICTS = {"thermometer/overfitting.yaml": "overfitting", "thermometer/validation.yaml": "neither"}
KEYS = {
    "task", "status", "reason", "updates", "loss", "n_observations", "parameters", "normalized_input", "original_units",
    "distance_to_optimum_in_standard_errors", "learning_rate_limit", "condition_number",
}  # fmt: skip

each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(CONFIGS).as_posix())


class Run(NamedTuple):
    name: str
    header: str
    exit_code: int
    directory: Path
    result: FitResult
    estimates: dict[str, Any]


def relative(path: Path) -> str:
    return path.relative_to(CONFIGS).as_posix()


def header_of(path: Path) -> str:
    lines = path.read_text(encoding="utf-8").splitlines()
    first_setting = next(index for index, line in enumerate(lines) if not line.startswith("#"))
    return " ".join(line.removeprefix("#").strip() for line in lines[:first_setting])


def stated_result(header: str) -> str:
    """From ``Result:`` to the exit code; what follows are other ways to run the file."""
    match = re.search(r"Result: (.*?Exit code \d+)\.", header)
    assert match is not None, "the header states no result with an exit code"
    return match[1]


def stated_exit_code(header: str) -> int:
    return int(stated_result(header).rsplit(" ", 1)[-1])


@pytest.fixture(scope="module", params=FILES, ids=relative)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    path: Path = request.param
    name = relative(path)
    extra = [] if name in FIGURES else ["--plots.enabled", "false"]
    home = tmp_path_factory.mktemp(path.stem)
    (home / "configs").symlink_to(CONFIGS)  # a table's path counts from the repository's root
    saved: list[FitResult] = []
    save = FitResult.save
    kept = mock.patch.object(FitResult, "save", lambda result, path: saved.append(result) or save(result, path))
    with contextlib.chdir(home), torch.random.fork_rng(), contextlib.redirect_stdout(io.StringIO()), kept:
        exit_code = main(["fit", "--config", str(path), "--trainer.enable_progress_bar", "false", *extra])
    directory = home / "lightning_logs" / path.stem / "version_0"
    estimates = json.loads((directory / "estimates.json").read_text(encoding="utf-8"))
    return Run(name, header_of(path), exit_code, directory, saved[-1], estimates)


def test_every_lesson_has_a_file():
    actual = {
        folder.name: {path.stem for path in folder.glob("*.yaml")} for folder in CONFIGS.iterdir() if folder.is_dir()
    }
    assert actual == EXPECTED_FILES


@each_file
def test_header_says_purpose_result_and_exit_code(path):
    assert re.fullmatch(r"Purpose: .+ Command: .+ Result: .+ Exit code [0-9]+\..*", header_of(path))


@each_file
def test_header_gives_the_command_that_runs_the_file(path):
    assert f"Command: paramfit fit --config configs/{relative(path)} " in header_of(path)


@each_file
def test_file_fits_on_a_screen(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 120


def test_readme_lists_exactly_the_files_with_their_exit_codes():
    readme = (CONFIGS / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[(.+?)\]\((.+?)\) \|.+\| (\d+) \|$", readme, flags=re.MULTILINE)
    assert all(text == link for text, link, _ in rows)
    assert sorted((link, int(code)) for _, link, code in rows) == [
        (relative(path), stated_exit_code(header_of(path))) for path in FILES
    ]


def test_exit_code_is_the_stated_one(run):
    assert run.exit_code == stated_exit_code(run.header)


def test_run_directory_holds_configuration_curves_and_estimates(run):
    for name in ("config.yaml", "estimates.json"):
        assert (run.directory / name).is_file(), name
    assert len(list(run.directory.glob("events.out.tfevents.*"))) == 1


def test_run_directory_holds_the_last_state_and_the_best_of_a_fit_that_had_one(run):
    # The diverging lesson is over before it is looked at with a finite loss.
    assert {path.name for path in run.directory.glob("checkpoints/*")} == {"best.ckpt", "last.ckpt"}


def test_run_directory_holds_the_figures(run):
    assert {path.name for path in run.directory.glob("figures/*")} == FIGURES.get(run.name, set())


def test_estimates_hold_the_agreed_keys(run):
    assert run.estimates.keys() >= KEYS
    assert run.estimates["loss"].keys() == run.estimates["n_observations"].keys() == {"train", "val"}
    for parameter in run.estimates["parameters"].values():
        assert parameter.keys() >= {"estimate", "standard_error", "interval_95", "gradient"}


def test_result_is_read_as_it_was_written(run):
    again = load(run.directory)
    assert again == run.result
    assert again.report() == run.result.report()


def test_status_goes_with_the_exit_code(run):
    good = {"converged", "limit_reached", "stopped_early"}
    assert run.estimates["status"] in ({"diverged"} if run.exit_code == 3 else good)


def test_result_says_converged_where_the_fit_is(run):
    stated = stated_result(run.header)
    assert ("converged" in stated and "not converged" not in stated) == (run.estimates["status"] == "converged")


def stated_estimates(run: Run) -> list[tuple[str, str, str | None]]:
    """Name, value and standard error, as the header has them; numbers of an interval are no estimates."""
    names = "|".join(map(re.escape, run.estimates["parameters"]))
    actual = re.findall(rf"\b({names}) (-?\d+\.\d+)\b(?! to)(?: ± (\d+\.\d+))?", stated_result(run.header))
    return [(name, value, error or None) for name, value, error in actual]


def rounded_like(text: str, value: float) -> str:
    return f"{value:.{len(text.partition('.')[2])}f}"


def test_parameters_are_the_stated_ones(run):
    for name, text, _ in stated_estimates(run):
        assert rounded_like(text, run.estimates["parameters"][name]["estimate"]) == text


def test_standard_errors_are_the_stated_ones(run):
    for name, _, text in stated_estimates(run):
        if text is not None:
            assert rounded_like(text, run.estimates["parameters"][name]["standard_error"]) == text


def test_intervals_of_the_ladder_are_the_stated_ones(run):
    ladder = run.estimates["ladder"]
    rungs = {} if ladder is None else ladder["rungs"]
    stated = re.findall(
        rf"(-?\d+\.\d+) to (-?\d+\.\d+) by the ({'|'.join(rungs) or 'ladder'})\b", stated_result(run.header)
    )
    assert bool(stated) == bool(rungs)
    for low, high, rung in stated:
        intervals = rungs[rung]["intervals_95"].values()
        assert (low, high) in {(rounded_like(low, ends[0]), rounded_like(high, ends[1])) for ends in intervals}


def test_the_ladder_warns_where_the_header_says_so(run):
    promised = "the ladder warns" in stated_result(run.header)
    ladder = run.estimates["ladder"]
    assert promised == (ladder is not None and bool(ladder["warnings"]))


def test_verdict_is_given_where_rows_are_held_out(run):
    assert run.estimates["verdict"] == VERDICTS.get(run.name)


def test_band_covers_the_held_out_rows_of_the_stated_example(capsys):
    Path("configs").symlink_to(CONFIGS)
    config = ["--config", "configs/table/copper.yaml"]
    assert main(["fit", *config, "--plots.enabled", "false", "--trainer.enable_progress_bar", "false"]) == 0
    capsys.readouterr()
    assert main(["test", *config, "--ckpt_path", "last", "--trainer.enable_progress_bar", "false"]) == 0
    printed = re.search(r"test/band_coverage\W+(\d\.\d+)", capsys.readouterr().out)
    stated = re.search(r"coverage (\d\.\d+)\.", header_of(CONFIGS / "table" / "copper.yaml"))
    assert f"{float(printed[1]):.3f}" == stated[1]
