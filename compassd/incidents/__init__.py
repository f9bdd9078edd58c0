"""From breaches to incidents, and to what is told of them. Pure: no clock, no I/O, no threads."""
