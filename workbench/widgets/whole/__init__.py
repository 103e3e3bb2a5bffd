"""The whole workbench: the picker, and a tab for each thing one does with a project."""
