"""Tests of paramfit.plotting."""
