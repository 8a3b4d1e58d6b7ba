"""`python -m mistraltune`, the same as the `mistraltune` command."""

from mistraltune.cli.app import main

if __name__ == "__main__":
    main()
