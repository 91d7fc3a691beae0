"""The shell around the decision: Kafka in, Kafka out, one transaction a batch."""
