"""Shards carried out in processes that can be stopped, resumed and killed."""
