"""What `benches/fleet` is made of."""
