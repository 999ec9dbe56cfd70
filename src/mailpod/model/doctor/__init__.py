"""What the doctor makes of what it sees: judgments alone, without a look at anything."""
