"""Adapters to copy from, each with what the battery truly finds in it ({check: reason} beside the file).

`pytest --subject diagnostics.example_subjects.last_value:LastValue` runs the battery over one.
"""
