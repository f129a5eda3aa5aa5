"""Tests of paramfit.inference.bootstrap."""
