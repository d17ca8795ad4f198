"""`python -m horae` is `horae`."""

from horae.cli import main

if __name__ == "__main__":
    main()
