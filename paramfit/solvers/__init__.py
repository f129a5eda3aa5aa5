"""Solvers: fits that run to convergence, with or without a Trainer."""

from paramfit.solvers.ending import how_it_ended
from paramfit.solvers.least_squares import MOST_ROWS_POLISHED, solve_least_squares
from paramfit.solvers.likelihood import solve_likelihood

__all__ = ["MOST_ROWS_POLISHED", "how_it_ended", "solve_least_squares", "solve_likelihood"]
