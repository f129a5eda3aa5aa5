"""Tests of paramfit.inference."""
