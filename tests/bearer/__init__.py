"""Access tokens beside sessions."""
