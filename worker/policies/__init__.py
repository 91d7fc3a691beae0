"""The policies: one TOML a document, dated versions, and their one reader."""
