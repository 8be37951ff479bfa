"""Pictures: one plot a file; each draws on an Axes that it is given and returns it."""
