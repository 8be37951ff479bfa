"""Finds out why a model that looked good in training fails where its own predictions begin."""
