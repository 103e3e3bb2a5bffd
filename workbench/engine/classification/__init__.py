"""How classification learns."""
