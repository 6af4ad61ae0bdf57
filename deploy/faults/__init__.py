"""`ruta faults`: breaks a working system in every way that we know, and holds the ledger against it afterwards."""
