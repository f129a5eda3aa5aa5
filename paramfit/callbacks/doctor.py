"""What can be said about a descent before it starts, and why it failed."""

from lightning.pytorch import Callback, LightningModule, Trainer
from torch.optim import Optimizer

from paramfit.callbacks.run import data_of, loss_function_of, mean_loss, task_of
from paramfit.inference.descent_stability import Stability, stability
from paramfit.inference.loss_function import LossFunction
from paramfit.objectives import SquaredError
from paramfit.optimizers import BlockOptimizer
from paramfit.results.divergence_cure import divergence_cure
from paramfit.results.verdict import CurvePoint
from paramfit.solvers.levenberg_marquardt import LevenbergMarquardt
from paramfit.solvers.newton import Newton

__all__ = ["Doctor", "inner_optimizer_of"]

_MOST_GRADIENTS_COMPARED = 8


def inner_optimizer_of(trainer: Trainer) -> Optimizer:
    """The optimizer that makes the updates, without the block around it."""
    optimizer = trainer.optimizers[0]
    return optimizer.inner if isinstance(optimizer, BlockOptimizer) else optimizer


def _share(ratio: float) -> str:
    """``30 % of it``, or ``29 times as much``."""
    return f"{100 * ratio:.2g} % of it" if ratio <= 1 else f"{ratio:.3g} times as much"


class Doctor(Callback):
    """Before the first update: largest stable learning rate, condition number, ratio of the first gradients.

    It also follows training and validation loss for the verdict on the fit, and knows after a divergence what would
    cure it. The fit report asks it.

    Args:
        enabled: whether to examine at all; it takes one Hessian over the training observations.
    """

    def __init__(self, enabled: bool = True) -> None:
        self.enabled = enabled
        self.start: LossFunction | None = None
        self.stability: Stability | None = None
        self.curve: list[CurvePoint] = []
        self.reason = "the start was not examined"
        self._optimizer: Optimizer | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Examine the start, and say what was found."""
        data = data_of(trainer)
        self.start, self.stability, self.curve = None, None, []
        if not self.enabled or data is None:
            return
        self._optimizer = inner_optimizer_of(trainer)
        if isinstance(self._optimizer, LevenbergMarquardt | Newton):
            solved = "least squares" if isinstance(self._optimizer, LevenbergMarquardt) else "the likelihood"
            self.reason = f"{solved} is solved, and has no learning rate"
            return
        self.start = loss_function_of(pl_module, data.train)
        try:
            self.stability = stability(self.start, self._optimizer)
        except RuntimeError as failure:
            print(
                f"doctor: not examined, since autograd cannot differentiate the model ({str(failure).splitlines()[0]})"
            )
            self.start = None
            return
        for line in self.findings():
            print(f"doctor: {line}")
        if data.validation.n:
            self.curve.append(
                CurvePoint(
                    task_of(pl_module).updates, mean_loss(pl_module, data.train), mean_loss(pl_module, data.validation)
                )
            )

    def findings(self) -> list[str]:
        """What the examination of the start found, one line each."""
        if self.start is None or self.stability is None or self._optimizer is None:
            return []
        lines = []
        rate, limit = self._optimizer.param_groups[0]["lr"], self.stability.learning_rate_limit
        if limit is None:
            lines.append(f"largest stable learning rate: none ({self.stability.limit_reason})")
        else:
            lines.append(f"largest stable learning rate {limit:.5g}; {rate:g} is {_share(rate / limit)}")
        if self.stability.condition_number is None:
            lines.append(f"condition number: none ({self.stability.condition_reason})")
        else:
            lines.append(f"condition number {self.stability.condition_number:.0f}")
        lines += self._gradients()
        if limit is not None and rate > limit:
            sure = isinstance(self.start.objective, SquaredError) and getattr(
                self.start.model, "linear_in_parameters", False
            )
            forecast = "will diverge" if sure else "may diverge, unless the curvature is less further on"
            lines.append(f"WARNING: this descent {forecast}: {divergence_cure(self.start, self._optimizer)}")
        return lines

    def _gradients(self) -> list[str]:
        assert self.start is not None  # findings() has looked
        if not 2 <= self.start.p <= _MOST_GRADIENTS_COMPARED:
            return []
        slopes = dict(zip(self.start.names, self.start.gradient(self.start.theta).tolist(), strict=True))
        listed = ", ".join(f"{name} {slope:.5g}" for name, slope in slopes.items())
        largest, smallest = max(slopes, key=lambda k: abs(slopes[k])), min(slopes, key=lambda k: abs(slopes[k]))
        if not slopes[smallest]:
            return [f"first gradients: {listed}"]
        ratio = abs(slopes[largest] / slopes[smallest])
        return [f"first gradients: {listed}; {largest} to {smallest} {ratio:.3g}"]

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take one point of the two curves."""
        data = data_of(trainer)
        if self.start is None or data is None or trainer.sanity_checking or trainer.state.fn != "fit":
            return
        held_out = trainer.callback_metrics.get("val/loss")
        updates = task_of(pl_module).updates
        if held_out is not None and (not self.curve or updates > self.curve[-1].update):
            self.curve.append(CurvePoint(updates, mean_loss(pl_module, data.train), held_out.item()))

    def cure(self) -> str | None:
        """What would cure a divergence; None where the start was not examined."""
        if self.start is None or self._optimizer is None:
            return None
        return divergence_cure(self.start, self._optimizer)
