"""Tests of paramfit.tasks."""
