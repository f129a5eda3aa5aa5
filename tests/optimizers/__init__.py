"""Tests of paramfit.optimizers."""
