"""Module A: core architecture and understanding, as facts about a running Kafka."""
