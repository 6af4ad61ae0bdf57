"""Real Kafka, real PostgreSQL and a mail sink as child processes of one supervisor; no Docker, no Java needed."""
