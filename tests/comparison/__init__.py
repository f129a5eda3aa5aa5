"""Tests of paramfit.comparison."""
