"""What requests wait for: where its text is found, and what of it may be told."""
