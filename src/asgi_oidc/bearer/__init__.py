"""Access tokens that programs send: how they are read, checked and remembered, and what an API says about itself."""
