"""What a developer needs and production does not: a local broker, a claim generator, the demo."""
