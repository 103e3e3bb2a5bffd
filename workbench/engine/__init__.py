"""Training, in a process of its own: the only package that loads torch."""
