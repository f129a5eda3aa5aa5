"""paramfit: parameter estimation as a PyTorch Lightning project.

Public names are imported when they are first used, so that ``paramfit --help`` need not wait for torch.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "paramfit.errors": ("InputError",),
    "paramfit.observations": ("Observations",),
    "paramfit.parameters": ("ParameterSpec",),
    "paramfit.distributions.families.log_logistic": ("LogLogistic",),
    "paramfit.inference.bands": ("Bands", "FittedCurve"),
    "paramfit.inference.ladder.rungs": ("Ladder", "Rung"),
    "paramfit.facts": ("Fact", "FactKind", "Status", "Stop"),
    "paramfit.results.record": ("Estimate", "Record"),
    "paramfit.fits.result": ("FitResult", "load"),
    "paramfit.comparison.comparison": ("Comparison",),
    "paramfit.comparison.model_comparison": ("compare",),
    "paramfit.fits.uncertainty_ladder": ("ladder",),
    "paramfit.fits.fitting": ("fit",),
    "paramfit.export.formats": ("ExportFormat",),
    "paramfit.cli.exported_run": ("export_run",),
    "paramfit.models": (
        "DistributionModel",
        "FormulaModel",
        "FunctionModel",
        "GaussianModel",
        "LinearModel",
        "ParametricModel",
        "PolynomialModel",
    ),
    "paramfit.objectives": (
        "AbsoluteError",
        "CauchyError",
        "HuberError",
        "NegativeLogLikelihood",
        "Objective",
        "RobustError",
        "SoftL1Error",
        "SquaredError",
    ),
    "paramfit.gradients": ("AnalyticGradient", "AutogradGradient", "GradientRule", "NumericalGradient"),
    "paramfit.optimizers": ("BlockOptimizer", "GradientDescent"),
    "paramfit.solvers.levenberg_marquardt": ("LevenbergMarquardt",),
    "paramfit.solvers.newton": ("Newton",),
    "paramfit.data.base": ("EstimationDataModule",),
    "paramfit.data.gaussian": ("GaussianDataModule",),
    "paramfit.data.normalization": ("FixedScale", "Standardize"),
    "paramfit.data.table": ("TableDataModule",),
    "paramfit.data.thermometer": ("ThermometerDataModule",),
    "paramfit.tasks": (
        "EstimationTask",
        "GaussianLocation",
        "HandWrittenDescent",
        "LeastSquares",
        "MaximumLikelihood",
        "Regression",
        "ThermometerRegression",
    ),
    "paramfit.callbacks": (
        "DivergenceDetection",
        "Doctor",
        "EpochTable",
        "EstimateRows",
        "FitCheckpoint",
        "FitEarlyStopping",
        "FitHistory",
        "FitPlots",
        "FitProgress",
        "FitReport",
        "GracefulStop",
        "GradientLines",
        "LossLines",
        "PredictionsFile",
        "UncertaintyLadder",
        "ValidationLines",
    ),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = ["__version__", *_MODULE_OF]  # noqa: PLE0604  # the names are strings, which ruff cannot see


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for (PEP 562)."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'paramfit' has no attribute {name!r}")
    return getattr(import_module(_MODULE_OF[name]), name)


def __dir__() -> list[str]:
    """The public names, imported or not."""
    return sorted(__all__)
