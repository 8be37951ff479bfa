"""Ablation: the traits of the historic decoder, one at a time."""
