"""What is remembered of a browser: sealed, cut, bounded."""
