"""What the brokers can tell of a stream from outside: group, lanes, lag, commits, dead letters, digests.

Nothing is joined, committed or written, and nothing that a claim holds is kept.
"""
