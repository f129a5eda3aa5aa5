"""Profile likelihoods of one parameter and of two."""
