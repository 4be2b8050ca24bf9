"""What holds the house together: who imports whom."""
