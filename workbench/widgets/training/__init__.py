"""The training panel: what will be trained on, runs as they go on, and what they gave."""
