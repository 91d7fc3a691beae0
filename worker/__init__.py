"""A streaming worker that adjudicates claims for Mohs micrographic surgery."""

__version__ = "0.1.0"
