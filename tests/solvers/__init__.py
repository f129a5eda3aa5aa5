"""Tests of paramfit.solvers."""
