"""Transactions of Kafka: results, histories and the input's offset of a batch, all or nothing."""
