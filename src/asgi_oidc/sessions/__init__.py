"""What we remember of a browser, and where: sealed cookies for sessions and for logins in progress."""
