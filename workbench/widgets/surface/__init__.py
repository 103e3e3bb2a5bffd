"""The drawing surface: photo, labels and ink in the browser, and what Python gives it."""
