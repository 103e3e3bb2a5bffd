"""How segmentation learns."""
