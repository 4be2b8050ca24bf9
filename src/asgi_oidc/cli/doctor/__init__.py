"""`asgi-oidc doctor`: checks a set-up, and names a fix for each finding. One file for each subject."""
