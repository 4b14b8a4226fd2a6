"""What the shipped binary promises, tried in the world with the providers' real host names."""
