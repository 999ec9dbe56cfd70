"""`python -m mailpod`: the command line."""

import gc

# Looking for garbage while modules are loaded, where there is none, takes a fifth of the time before a command begins.
gc.disable()

from mailpod.cli.app import main  # noqa: E402

gc.freeze()
gc.enable()

if __name__ == "__main__":
    main()
