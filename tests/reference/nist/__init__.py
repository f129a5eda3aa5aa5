"""The Statistical Reference Datasets of NIST: regressions and summaries with certified results."""
