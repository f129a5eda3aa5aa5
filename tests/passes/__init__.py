"""Tests of paramfit.passes."""
