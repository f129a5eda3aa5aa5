"""Tests of paramfit.shown."""
