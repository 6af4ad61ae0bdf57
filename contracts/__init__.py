"""What institutions and services agree on: names, models and the wire form. Depends on pydantic only."""

CONTRACT_VERSION = "1.0"
