"""The checks of the ledger: each one is silent about what fits and names what does not."""
