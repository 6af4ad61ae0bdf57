"""Running Ruta: the `ruta` command, the embedded stack and the provisioning of Kafka and PostgreSQL."""
