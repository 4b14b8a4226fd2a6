"""The shipped binary in the private world: what it asks the providers, and what it answers."""
