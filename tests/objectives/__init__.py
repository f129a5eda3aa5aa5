"""Tests of paramfit.objectives."""
