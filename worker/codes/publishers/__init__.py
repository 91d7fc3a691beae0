"""The publishers' own file formats: each module reads one and gives the release as this project stores it."""
