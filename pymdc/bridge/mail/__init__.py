"""Mails: written, and taken to a server or to a folder."""
