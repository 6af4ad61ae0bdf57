"""What the three service processes share. It owns no table, no topic and no process."""
