"""Fits from Python, without a Trainer."""
