"""The command line: words and tables around the use cases in `mailpod.services`."""
