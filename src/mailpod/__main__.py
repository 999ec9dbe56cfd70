"""`python -m mailpod`: the command line."""

from mailpod.cli.app import main

if __name__ == "__main__":
    main()
