"""Results: the facts of a fit, and the words made from them."""
