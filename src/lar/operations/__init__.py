"""What the operator asks: doctor, status, turn records."""
