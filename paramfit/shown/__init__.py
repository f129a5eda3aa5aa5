"""How numbers look: digits, tables, notebooks."""
