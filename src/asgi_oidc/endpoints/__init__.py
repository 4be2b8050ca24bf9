"""The endpoints behind our own URLs below `auth_path`, one file each."""
