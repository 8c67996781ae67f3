"""The command line, ``python -m pymdc``: files to and from a bucket.  Of the library it uses what is public."""
