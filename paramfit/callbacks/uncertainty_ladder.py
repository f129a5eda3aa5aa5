"""The uncertainty ladder at the end of a fit."""

from lightning.pytorch import Callback, LightningModule, Trainer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from paramfit.callbacks.run import FileWriting, run_directory, run_of, task_of
from paramfit.errors import InputError
from paramfit.facts import Status
from paramfit.fits.result import FitResult
from paramfit.fits.uncertainty_ladder import ladder, pair_profiles
from paramfit.inference.ladder.builder import refuse_no_likelihood
from paramfit.inference.ladder.rungs import Ladder
from paramfit.inference.profile.profiles import PairProfile
from paramfit.results.report import print_report

__all__ = ["UncertaintyLadder"]

_MOST_PARAMETERS = 3  # each pair takes about a second


class UncertaintyLadder(FileWriting, Callback):
    """At the end of a fit, tell its errors by every way that there is, side by side.

    The table follows the report, and ``estimates.json`` gains the key ``ladder``.

    Args:
        enabled: whether to.
        profile: whether to follow the profile likelihood of each parameter.
        contours: whether to find the contours of each pair, of up to three parameters, for the figures, where there
            are any.
        bootstrap: number of resamples of the observations, such as 1000; 0 for none.
        seed: of the resamples.

    Raises:
        InputError: for a number of resamples below 0; when a fit starts, for one that is no likelihood.
    """

    def __init__(
        self, enabled: bool = False, profile: bool = True, contours: bool = True, bootstrap: int = 0, seed: int = 0
    ) -> None:
        if bootstrap < 0:
            raise InputError(f"ladder.bootstrap: expected a number of resamples, 0 or more, but got {bootstrap}")
        if not 0 <= seed < 2**63:
            raise InputError(f"ladder.seed: expected a number from 0 to 2^63 - 1, but got {seed}")
        self.enabled = enabled
        self.profile = profile
        self.contours = contours
        self.bootstrap = bootstrap
        self.seed = seed

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Refuse what has no ladder, a penalty or an objective that is no likelihood, before it is fitted."""
        run = run_of(trainer)
        run.ladder, run.pairs = None, []
        if self.enabled:
            refuse_no_likelihood(task_of(pl_module).objective)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Climb, print, write."""
        run = run_of(trainer)
        if not self.enabled or run.result is None or run.result.status is Status.DIVERGED:
            return
        with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), transient=True) as bar:
            run.ladder = self._climb(run.result, bar)
            run.pairs = self._pairs(run.result, bar) if run.has_figures else []
        run.result = run.result.with_ladder(run.ladder)
        folder = run_directory(trainer)
        if folder is not None:
            with run.writing():
                run.result.save(folder / "estimates.json")
        print_report(run.ladder)

    def _climb(self, result: FitResult, bar: Progress) -> Ladder:
        resampled = bar.add_task("bootstrap", total=self.bootstrap, visible=self.bootstrap > 0)
        return ladder(
            result,
            profile=self.profile,
            bootstrap=self.bootstrap,
            seed=self.seed,
            progress=lambda solved: bar.update(resampled, completed=solved),
        )

    def _pairs(self, result: FitResult, bar: Progress) -> list[PairProfile]:
        count = len(result.parameters)
        if not self.contours or not 1 < count <= _MOST_PARAMETERS:
            return []
        drawn = bar.add_task("contours", total=count * (count - 1) // 2)
        return pair_profiles(result, progress=lambda done: bar.update(drawn, completed=done))
