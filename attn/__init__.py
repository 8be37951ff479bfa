"""Pairs of sequences: the process that draws them, models that continue them, and their training."""
