"""Many subjects, faults and seeds before the battery, and what fails how often."""
