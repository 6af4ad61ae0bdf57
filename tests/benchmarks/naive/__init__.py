"""The three services as they are usually written: one record, one transaction, one commit, its publishes.

The rules, the contract and the outcomes are Ruta's own; only the way in and out differs. So what the benchmark
compares is the design, and a test holds the outcomes equal.
"""
