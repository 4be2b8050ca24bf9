"""What the integrations promise."""
