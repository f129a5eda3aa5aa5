"""Standard errors and intervals by several ways side by side."""
