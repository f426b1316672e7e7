"""How tests see what Kafka does: waiting, reading and writing records."""
