"""Try rules out on requests that were captured or written down, before they are in force."""
