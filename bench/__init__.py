"""mailpod's benchmark: `bench/run`."""
