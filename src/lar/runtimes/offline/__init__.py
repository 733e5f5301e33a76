"""What answers where no model is configured: calculator, clock and notes, and honesty about the rest."""
