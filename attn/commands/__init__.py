"""The commands of `attn`, one a file."""
