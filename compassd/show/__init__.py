"""A breach for people and for flame graph viewers, made from its published JSON document."""
