"""Inspecting a run: its report, its predictions beside the labels, and the way back to a label."""
