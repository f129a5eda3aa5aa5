"""Tests of paramfit.callbacks."""
