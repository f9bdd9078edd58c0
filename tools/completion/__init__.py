"""Completion for shells, made of the command line itself, so that it cannot fall behind."""
