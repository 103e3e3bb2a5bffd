"""How object detection learns."""
