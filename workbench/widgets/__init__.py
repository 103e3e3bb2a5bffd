"""The widgets: what a person sees and touches in notebook cells."""
