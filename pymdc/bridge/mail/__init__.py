"""Mails: written, kept, and taken to a server."""
