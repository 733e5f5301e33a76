"""What is remembered: context, notes, history; and their tools."""
