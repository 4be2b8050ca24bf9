"""From the page that needs a user to the session: everything between the start of a login and its end."""
