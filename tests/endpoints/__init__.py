"""Our URLs below `auth_path`."""
