"""Tests of paramfit.inference.profile."""
