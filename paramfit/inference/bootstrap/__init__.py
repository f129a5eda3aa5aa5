"""Resampled fits."""
