"""`python -m mistraltune`, the same as the `mistraltune` command."""

import signal

if __name__ == "__main__":
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # an interrupt of an import is no traceback; `main` hears signals
    from mistraltune.cli.app import main

    main()
