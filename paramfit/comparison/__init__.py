"""Fits beside each other: criteria, weights, and tests of nested models."""
