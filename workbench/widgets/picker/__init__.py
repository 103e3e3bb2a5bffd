"""The project picker: projects as cards, new ones with a guide, photos brought in."""
