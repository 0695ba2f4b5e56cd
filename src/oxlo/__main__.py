"""`python -m oxlo` is `oxlo`."""

import signal


def main() -> None:
    """Import and run the command line; Ctrl-C meanwhile ends the program without a traceback."""
    interruptible = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if interruptible:  # a shell's background job ignores Ctrl-C instead
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from oxlo.cli import main as run

    if interruptible:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    run()


if __name__ == "__main__":
    main()
