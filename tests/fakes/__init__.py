"""Stand-ins for the engine and the channel, with failures and crashes at any step."""
