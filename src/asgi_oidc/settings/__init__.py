"""Every setting: how it is read, checked and found in the environment."""
