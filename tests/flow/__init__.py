"""What a request gets from the whole middleware, from the first redirect to the sign-out."""
