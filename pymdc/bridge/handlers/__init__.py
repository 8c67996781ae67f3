"""What each request means: who asks, what is meant, one method below."""
