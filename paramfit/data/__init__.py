"""Data: reading, splitting, normalising and loading observations.

Nothing is imported here, so that what Lightning is not needed for does not load it.
"""
