"""The audit log: one leaf for every record of the bus, in a tree that nobody can change unnoticed."""
