"""Second-order solvers on sums over the observations."""
