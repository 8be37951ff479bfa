"""The commands of `diagnose`, one file a command or family."""
