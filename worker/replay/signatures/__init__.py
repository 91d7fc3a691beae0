"""Whether published results are signed, and by whom."""
