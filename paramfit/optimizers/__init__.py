"""Optimizers: what torch.optim does not have."""

from paramfit.optimizers.block import BlockOptimizer
from paramfit.optimizers.gradient_descent import GradientDescent

__all__ = ["BlockOptimizer", "GradientDescent"]
