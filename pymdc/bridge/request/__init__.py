"""A request: what may be in it, who is asking, who is slowed."""
