"""`python -m oxlo` is `oxlo`."""

from oxlo.cli import main

if __name__ == "__main__":
    main()
