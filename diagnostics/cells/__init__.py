"""Cells: pieces of work that do not need one another, in processes of one thread, every result kept."""
