"""Table files: finding, reading, checking and writing them."""
