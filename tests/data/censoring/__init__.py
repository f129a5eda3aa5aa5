"""Tests of paramfit.data.censoring."""
