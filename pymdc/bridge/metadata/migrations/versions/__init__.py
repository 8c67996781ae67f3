"""One revision of the schema a file, each good for ever: what it needs of today's tables it says again itself."""
