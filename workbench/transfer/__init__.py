"""Images and labels on their way into a project and out of it."""
