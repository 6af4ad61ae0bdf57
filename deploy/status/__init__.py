"""The status page: a small process that looks at the services every few seconds and shows how they do."""
