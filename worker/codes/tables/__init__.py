"""The stored form of each code set: text to table and rows to text; nothing here opens a file."""
