"""The three services as they are usually written: one record, one transaction, one commit, its publishes.

The rules, the contract, the outcomes and how a process runs (event loop, garbage collector) are Ruta's own; only the
way in and out differs. So what the benchmark compares is the design, and a test holds the outcomes equal.
"""
