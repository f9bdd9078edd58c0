"""From breaches to what is told of them. Pure functions of their input."""
