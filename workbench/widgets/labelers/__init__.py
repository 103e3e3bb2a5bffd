"""The labelers: what they share, and one room for each project type."""
