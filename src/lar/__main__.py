"""`python -m lar` is the `lar` command."""
