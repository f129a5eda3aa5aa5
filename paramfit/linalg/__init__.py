"""Factorisations of small matrices, free of the parameters' units."""
