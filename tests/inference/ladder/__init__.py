"""Tests of paramfit.inference.ladder."""
