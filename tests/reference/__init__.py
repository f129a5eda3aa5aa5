"""Truth from outside: the published digits."""
