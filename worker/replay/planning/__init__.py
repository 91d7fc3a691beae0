"""What is settled before anything is decided: the evidence is whole, and its bases are found."""
