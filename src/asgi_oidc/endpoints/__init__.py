"""Our own URLs below `auth_path`, one file each."""
