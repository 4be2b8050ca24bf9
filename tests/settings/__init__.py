"""Every setting: its default, what it takes, and what it says when it is wrong."""
