"""Maximum likelihood against statsmodels, scipy.stats and closed forms."""
