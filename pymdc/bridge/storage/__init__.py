"""Content on disk, and in step with what is known of it."""
