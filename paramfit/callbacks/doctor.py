"""Examining a descent before it begins."""

from lightning.pytorch import Callback, LightningModule, Trainer
from torch.optim import Optimizer

from paramfit.callbacks.run import Examination, data_of, loss_function_of, mean_loss, optimizer_of, run_of, task_of
from paramfit.facts import Fact, FactKind
from paramfit.inference.descent_stability import Stability, cure_of_divergence, stability
from paramfit.inference.loss_function import LossFunction
from paramfit.objectives import SquaredError
from paramfit.optimizers import BlockOptimizer
from paramfit.results.verdict import CurvePoint
from paramfit.shown.text import say
from paramfit.shown.words import sentence
from paramfit.solvers.levenberg_marquardt import LevenbergMarquardt
from paramfit.solvers.newton import Newton

__all__ = ["Doctor"]

_MOST_GRADIENTS_COMPARED = 8


class Doctor(Callback):
    """Before the first update: largest stable learning rate, condition number, ratio of the first gradients.

    It also follows training and validation loss for the verdict on the fit; the run keeps what it finds.

    Args:
        enabled: whether to examine at all; it takes one Hessian over the training observations.
    """

    def __init__(self, enabled: bool = True) -> None:
        self.enabled = enabled
        self.examination = Examination()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Examine the start, and say what was found."""
        data = data_of(trainer)
        self.examination = run_of(trainer).examination = examination = Examination()
        if not self.enabled or data is None:
            return
        _hint_at_blocks(trainer)
        optimizer = optimizer_of(trainer)
        if isinstance(optimizer, LevenbergMarquardt | Newton):
            solved = "least squares" if isinstance(optimizer, LevenbergMarquardt) else "the likelihood"
            examination.missing = Fact(FactKind.NO_LEARNING_RATE, numbers={"what": solved})
            return
        start = loss_function_of(pl_module, data.train)
        try:
            examination.stability = stability(start, optimizer)
        except RuntimeError as failure:
            reason = str(failure).splitlines()[0]
            say(f"doctor: not examined, since autograd cannot differentiate the model ({reason})")
            return
        examination.start = start
        for line in _findings(start, examination.stability, optimizer):
            say(f"doctor: {line}")
        if data.validation.n:
            losses = mean_loss(pl_module, data.train), mean_loss(pl_module, data.validation)
            examination.curve.append(CurvePoint(task_of(pl_module).updates, *losses))

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take one point of the two curves."""
        data, examination = data_of(trainer), run_of(trainer).examination
        if examination.start is None or data is None or trainer.sanity_checking or trainer.state.fn != "fit":
            return
        held_out = trainer.callback_metrics.get("val/loss")
        updates = task_of(pl_module).updates
        if held_out is not None and (not examination.curve or updates > examination.curve[-1].update):
            examination.curve.append(CurvePoint(updates, mean_loss(pl_module, data.train), held_out.item()))


def _hint_at_blocks(trainer: Trainer) -> None:
    """Say what a limit that counts blocks means in updates."""
    block = trainer.optimizers[0]
    is_trial = trainer.fast_dev_run  # type: ignore[attr-defined]  # Lightning sets it without declaring it
    if isinstance(block, BlockOptimizer) and block.updates_per_step > 1 and trainer.max_steps > 0 and not is_trial:
        updates = trainer.max_steps * block.updates_per_step
        say(f"hint: max_steps {trainer.max_steps} counts blocks of {block.updates_per_step} updates: {updates} updates")


def _findings(start: LossFunction, stable: Stability, optimizer: Optimizer) -> list[str]:
    """What the examination of the start found, one line each."""
    lines = []
    rate, limit = optimizer.param_groups[0]["lr"], stable.learning_rate_limit
    if limit is None:
        lines.append(f"largest stable learning rate: none ({sentence(stable.limit_reason or '')})")
    else:
        ratio = rate / limit
        share = f"{100 * ratio:.2g} % of it" if ratio <= 1 else f"{ratio:.3g} times as much"
        lines.append(f"largest stable learning rate {limit:.5g}; {rate:g} is {share}")
    if stable.condition_number is None:
        lines.append(f"condition number: none ({sentence(stable.condition_reason or '')})")
    else:
        lines.append(f"condition number {stable.condition_number:.0f}")
    lines += _gradients(start)
    if limit is not None and rate > limit:
        sure = isinstance(start.objective, SquaredError) and getattr(start.model, "linear_in_parameters", False)
        forecast = "will diverge" if sure else "may diverge, unless the curvature is less further on"
        cure = sentence(cure_of_divergence(start, optimizer))
        lines.append(f"WARNING: this descent {forecast}: {cure}")
    return lines


def _gradients(start: LossFunction) -> list[str]:
    if not 2 <= start.p <= _MOST_GRADIENTS_COMPARED:
        return []
    slopes = dict(zip(start.names, start.gradient(start.theta).tolist(), strict=True))
    listed = ", ".join(f"{name} {slope:.5g}" for name, slope in slopes.items())
    largest, smallest = max(slopes, key=lambda k: abs(slopes[k])), min(slopes, key=lambda k: abs(slopes[k]))
    if not slopes[smallest]:
        return [f"first gradients: {listed}"]
    ratio = abs(slopes[largest] / slopes[smallest])
    return [f"first gradients: {listed}; {largest} to {smallest} {ratio:.3g}"]
