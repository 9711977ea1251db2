"""`python -m mnistarena` is `arena`."""

from mnistarena.cli import main

if __name__ == "__main__":
    main()
