"""Solvers: fits that run to convergence, with or without a Trainer."""

from paramfit.solvers.least_squares import MOST_ROWS_POLISHED, solve_least_squares

__all__ = ["MOST_ROWS_POLISHED", "solve_least_squares"]
