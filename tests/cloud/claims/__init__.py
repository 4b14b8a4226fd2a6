"""What the world promises, each claim tried with the providers' own clients."""
