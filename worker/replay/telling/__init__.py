"""What differs, why, and how much of it: rows, shown claims, counts."""
