"""Tokens, scopes, and the forms to sign up, log in and consent."""
