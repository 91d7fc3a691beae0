"""The code sets: dated files, their one reader, and importers for the publishers' own files."""
