"""What one look at a batch gives: the sums that solvers are made of."""
