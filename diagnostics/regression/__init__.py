"""Regression: is the model of today the model of the baseline?"""
