"""Optimizers: what torch.optim does not have."""

from paramfit.optimizers.block import BlockOptimizer
from paramfit.optimizers.gradient_descent import GradientDescent
from paramfit.optimizers.levenberg_marquardt import LevenbergMarquardt
from paramfit.optimizers.newton import Newton

__all__ = ["BlockOptimizer", "GradientDescent", "LevenbergMarquardt", "Newton"]
