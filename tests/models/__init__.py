"""Tests of paramfit.models."""
