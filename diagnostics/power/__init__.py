"""Power: how small a drop would be seen."""
