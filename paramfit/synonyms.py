"""What an option is called elsewhere: in textbooks, SciPy, lmfit, scikit-learn, R, Keras."""

from collections.abc import Iterable, Mapping

from paramfit.wording import nearest_names, quoted

__all__ = ["CALLED_ELSEWHERE", "nearest_options", "options_meant"]

CALLED_ELSEWHERE: Mapping[str, frozenset[str]] = {
    option: frozenset(words.split())
    for option, words in {
        # models and their parameters
        "parameters": "arguments args coefficients coefs coeffs params initial initial_values starts start p0",
        "coefficients": "coefs coeffs betas",
        "formula": "expression expr equation function func",
        "function": "formula func callable f",
        "variables": "inputs independent_vars x",
        "degree": "order deg power",
        "distribution": "family dist density",
        "weight": "slope gradient a m w",
        "bias": "intercept offset b c",
        "location": "loc mean mu",
        "true_location": "location loc mean mu",
        "scale": "std stddev sigma spread f_scale delta factor",
        "start": "initial initial_value value guess init p0",
        "lower": "min minimum lower_bound lb",
        "upper": "max maximum upper_bound ub",
        "fixed": "vary frozen constant",
        "unit": "units dimension",
        # tasks
        "objective": "loss loss_fn loss_function criterion cost",
        "optimizer": "optimiser solver algorithm method minimizer",
        "scheduler": "lr_scheduler learning_rate_scheduler schedule",
        "gradient": "gradient_rule jac jacobian derivative",
        "metrics": "metric scores",
        "updates_per_step": "steps_per_update updates_per_epoch block_size block",
        "lr": "learning_rate learningrate step_size stepsize eta0",
        "expected": "fisher fisher_scoring",
        "l1": "lasso l1_penalty",
        "l2": "ridge weight_decay l2_penalty",
        # data
        "path": "file filename file_name filepath csv table source",
        "inputs": "x features columns predictors covariates regressors variables independent",
        "target": "y output outputs response dependent label labels z",
        "sigma": "error errors yerr dy std stddev uncertainty uncertainties noise standard_deviation",
        "sigma_is": "absolute_sigma",
        "censoring": "censored event events status",
        "missing": "na nan_policy dropna",
        "validation_fraction": "val_split val_fraction val_size validation_split validation_size test_size held_out",
        "validation_rows": "val_rows validation_index val_indices held_out_rows",
        "validation_column": "split_column split fold",
        "normalization": "normalisation normalize normalise standardize scaling scaler",
        "batch_size": "batchsize minibatch_size",
        "seed": "random_state random_seed rng",
        "dtype": "precision",
        "n_obs": "n size n_samples count",
        # the Trainer and callbacks
        "max_epochs": "epochs n_epochs num_epochs nb_epochs iterations max_iter maxiter max_iterations n_iter",
        "max_iterations": "max_iter maxiter max_nfev maxfev iterations n_iter max_steps max_epochs",
        "accelerator": "gpu gpus cuda",
        "seed_everything": "seed random_state random_seed",
        "gradient_clip_val": "clip clip_norm gradient_clip max_grad_norm grad_clip",
        "patience": "wait n_iter_no_change",
        "min_delta": "threshold tolerance tol",
        "monitor": "metric quantity watch",
        "decimals": "digits",
        "every": "interval frequency freq",
        "bootstrap": "resamples n_resamples n_boot",
        "ckpt_path": "checkpoint resume resume_from weights ckpt",
        "config": "cfg configuration yaml",
    }.items()
}
"""For each option what others call what it is for."""


def options_meant(name: str, options: Iterable[str]) -> list[str]:
    """Those of the options that play the role which the name has elsewhere.

    Example:
        >>> options_meant("intercept", ["weight", "bias", "dtype"])
        ['bias']
    """
    word = name.casefold().replace("-", "_")
    return [option for option in options if word in CALLED_ELSEWHERE.get(option, ())]


def nearest_options(name: str, options: Iterable[str], otherwise: str | None = None, *, most: int = 1) -> str:
    """What to suggest for an option that is not there: by its meaning, or as ``nearest_names`` by its spelling.

    Args:
        name: as the user wrote it.
        options: those that exist.
        otherwise: what to say where none is near.
        most: how many are suggested by their spelling.

    Example:
        >>> nearest_options("arguments", ["distribution", "parameters"])
        "did you mean 'parameters'?"
    """
    choices = list(options)
    meant = options_meant(name, choices)
    if meant:
        return f"did you mean {' or '.join(map(quoted, meant))}?"
    return nearest_names(name, choices, otherwise, most=most)
