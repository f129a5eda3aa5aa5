"""What only automatic optimisation can do, Lightning's own backward pass."""

from lightning.pytorch import Trainer

from paramfit.errors import InputError

__all__ = ["refuse_automatic_options"]


def refuse_automatic_options(trainer: Trainer, knows_nothing: str, instead: dict[str, str]) -> None:
    """Refuse accumulation, clipping and 16-bit precision in a task that computes its updates itself.

    Args:
        trainer: as it was configured.
        knows_nothing: who has no use for them, the message's subject.
        instead: for each of the options what to do.

    Raises:
        InputError: if one of them is on.
    """
    for option, is_on in (
        ("accumulate_grad_batches", trainer.accumulate_grad_batches > 1),
        ("gradient_clip_val", bool(trainer.gradient_clip_val)),
        ("precision", "16" in str(trainer.precision)),
    ):
        if is_on:
            msg = f"trainer.{option}: {knows_nothing} nothing of it; {instead[option]}"
            raise InputError(msg)
