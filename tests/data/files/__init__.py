"""Tests of paramfit.data.files."""
