"""Tests of paramfit.cli."""
