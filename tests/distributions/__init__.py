"""Tests of paramfit.distributions."""
