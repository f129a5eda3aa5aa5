"""Tests of paramfit.formulas."""
