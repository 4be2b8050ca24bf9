"""What the policy decides about paths, methods and users."""
