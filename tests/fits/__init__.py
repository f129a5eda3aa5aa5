"""Tests of paramfit.fits."""
