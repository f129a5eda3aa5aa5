"""Tests of paramfit.estimates."""
