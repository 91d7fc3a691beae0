"""What is left of a replay: summary, tables, report, manifest; and checking them later."""
