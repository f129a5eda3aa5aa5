"""Tests of paramfit.gradients."""
