"""Where commands run without reaching what they should not."""
