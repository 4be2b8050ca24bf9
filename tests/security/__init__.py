"""What must hold whatever is sent: generated attacks, broken parts, and counts."""
