"""Who may send as whom: the mail filter (milter) that main's Postfix asks about every message."""
