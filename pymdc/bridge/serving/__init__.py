"""What listens, and what is the same for every request."""
