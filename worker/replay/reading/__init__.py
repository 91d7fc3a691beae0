"""What a replay reads: the evidence, of topics or of archives, and what is told of it at a glance."""
