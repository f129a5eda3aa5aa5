"""A fitted model for use elsewhere: as code, as an equation, as a table."""
