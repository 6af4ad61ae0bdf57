"""One ledger over everything: what was published is what was decided, told and logged, each exactly once."""
