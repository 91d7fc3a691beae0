"""The decision, from a claim to its result: pure values in, pure values out."""
