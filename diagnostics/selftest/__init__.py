"""The suite examined by itself: every fault, and healthy variants, before every check."""
