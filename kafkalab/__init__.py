"""kafkalab: Apache Kafka's behaviour as executable facts."""

__version__ = "0.1.0"
