"""The subcommands of compassd, one a module."""
