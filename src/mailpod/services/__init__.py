"""Use cases: what the command line and the web offer, over the engine and the store."""
