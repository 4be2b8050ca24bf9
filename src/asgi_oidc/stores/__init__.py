"""Where sessions live on the server: one protocol, a file for each kind of store."""
