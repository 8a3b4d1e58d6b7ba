"""The command line: thin commands that parse, and leave the work to the modules below."""
