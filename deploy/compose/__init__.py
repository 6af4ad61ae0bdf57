"""The system as containers: one Dockerfile, one compose file, and what prepares and provisions them."""
