"""Tests of paramfit.results."""
