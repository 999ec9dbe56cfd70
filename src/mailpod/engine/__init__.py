"""What runs containers: one small protocol, and an implementation beside it for each engine."""
