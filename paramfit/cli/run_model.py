"""The fitted model of a run, made again from its configuration and its last checkpoint."""

from pathlib import Path
from typing import Any

import yaml
from torch import nn

# Imported for their names: a class_path in the configuration may be short for any class that is imported.
from paramfit import gradients, models, objectives, tasks
from paramfit.callbacks.checkpoint_io import AtomicCheckpointIO
from paramfit.cli.config_file import ConfigParser, check_sizes
from paramfit.cli.error_line import explained
from paramfit.errors import InputError
from paramfit.tasks import EstimationTask

__all__ = ["fitted_model"]

_ = (gradients, models, objectives, tasks)


def fitted_model(run: Path) -> nn.Module:
    """The model at the end of a fit, in the precision of the fit, on the inputs as the fit had them.

    The configuration names Python classes, which are imported: it is for runs that one trusts.

    Args:
        run: the run's folder, with ``config.yaml`` and ``checkpoints/last.ckpt``.

    Raises:
        InputError: if one of them is missing or damaged, or they do not belong together.
    """
    config, checkpoint = run / "config.yaml", run / "checkpoints" / "last.ckpt"
    for file in (config, checkpoint):
        if not file.is_file():
            raise InputError(
                f"pt2: the model is Python code, which is made again from config.yaml and checkpoints/last.ckpt, but"
                f" there is no {file}; give the folder of a run of paramfit fit"
            )
    task = _task(config)
    state: dict[str, Any] = AtomicCheckpointIO().load_checkpoint(checkpoint)
    task.on_load_checkpoint(state)
    task.load_state_dict(state["state_dict"])
    return task.model.eval()


def _task(config: Path) -> EstimationTask:
    check_sizes(["--config", str(config)])
    parser = ConfigParser()
    parser.add_lightning_class_args(EstimationTask, "model", subclass_mode=True, required=True)
    try:
        options = yaml.safe_load(config.read_text(encoding="utf-8"))
        made = parser.instantiate_classes(parser.parse_object({"model": options["model"]}))
    except InputError:
        raise
    except Exception as wrong:  # a class of the user's may raise anything
        raise InputError(f"{config}: {explained(wrong, (), [str(config)])}") from wrong
    task: EstimationTask = made["model"]
    return task
