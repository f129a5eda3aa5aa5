"""Censored observations: the words for them, and the rows that say so."""
