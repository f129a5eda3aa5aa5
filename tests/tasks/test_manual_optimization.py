"""What only Lightning's own backward pass can do, refused where a task computes its updates itself."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from lightning.pytorch import Trainer

from paramfit.errors import InputError
from paramfit.tasks.updates import refuse_automatic_options

INSTEAD = {
    "accumulate_grad_batches": "take larger batches",
    "gradient_clip_val": "take shorter steps",
    "precision": "take 64-true",
}


def trainer(**options: Any) -> Trainer:
    settings = {"accumulate_grad_batches": 1, "gradient_clip_val": None, "precision": "32-true", **options}
    return cast("Trainer", SimpleNamespace(**settings))


@pytest.mark.parametrize(("option", "value"), [
    ("accumulate_grad_batches", 2),
    ("gradient_clip_val", 0.5),
    ("precision", "16-mixed"),
    ("precision", "bf16-mixed"),
    ("precision", "16-true"),
])  # fmt: skip
def test_an_option_that_is_on_is_refused_with_what_to_do_instead(option, value):
    with pytest.raises(InputError) as refused:
        refuse_automatic_options(trainer(**{option: value}), "descent by hand knows", INSTEAD)
    assert str(refused.value) == f"trainer.{option}: descent by hand knows nothing of it; {INSTEAD[option]}"


@pytest.mark.parametrize(
    "options",
    [{}, {"gradient_clip_val": 0.0}, {"precision": "64-true"}, {"accumulate_grad_batches": 1}],
    ids=["nothing", "clipping at 0", "double precision", "one batch"],
)
def test_what_is_off_is_let_through(options):
    refuse_automatic_options(trainer(**options), "nobody knows", {})
