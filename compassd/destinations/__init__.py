"""Where breaches are told: one destination a file, each with the same few members."""
