"""Every setting: its documentation, its checks, and its environment variable."""
