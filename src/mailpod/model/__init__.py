"""Pure descriptions and rules: no input, no output, no engine."""
