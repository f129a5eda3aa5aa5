"""Tests of paramfit.linalg."""
