"""What thinks during a turn."""
