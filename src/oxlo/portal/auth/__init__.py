"""Sign-up, login, password reset and e-mail verification."""
