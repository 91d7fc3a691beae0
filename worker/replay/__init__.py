"""Replays for audits: decides events of the past once more and compares with what was published."""
