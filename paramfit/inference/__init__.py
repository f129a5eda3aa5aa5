"""Standard errors, intervals and bands, and whether an optimum was reached."""
