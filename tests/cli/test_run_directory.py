"""Two runs begun together: each has a run directory of its own."""

from pathlib import Path

from paramfit.cli import main
from paramfit.cli.fit_cli import FitCLI

CONFIG = Path(__file__).parents[2] / "configs" / "thermometer" / "sgd.yaml"


def test_directory_that_another_run_has_taken_meanwhile_is_left_alone(monkeypatch):
    claim = FitCLI._claim_run_directory

    def after_another(cli: FitCLI) -> None:
        cli.run_directory.mkdir(parents=True)
        (cli.run_directory / "config.yaml").write_text("of another run")
        claim(cli)

    monkeypatch.setattr(FitCLI, "_claim_run_directory", after_another)
    options = ["--name", "both", "--plots.enabled", "false", "--trainer.max_epochs", "1"]
    assert main(["fit", "--config", str(CONFIG), *options]) == 0
    assert (Path("lightning_logs/both/version_0") / "config.yaml").read_text() == "of another run"
    assert {"config.yaml", "estimates.json"} <= {path.name for path in Path("lightning_logs/both/version_1").iterdir()}
