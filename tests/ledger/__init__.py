"""A ledger of every message that was acknowledged: whatever happens, each is in its mailbox once, or comes back."""
