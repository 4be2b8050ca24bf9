"""Ready-made providers: what the documentation of each one says, so that an app need not; one file each."""
