"""What a request was waiting for."""
