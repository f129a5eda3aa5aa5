"""Tests of paramfit.data."""
