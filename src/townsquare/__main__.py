"""Where `townsquare` and `python -m townsquare` begin."""

import os


def main() -> None:
    """Run the command line."""
    # One thread for numpy: our arrays are small, and idle threads cost memory in every process.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from townsquare.cli.commands import townsquare  # noqa: PLC0415 - after the line above

    townsquare()


if __name__ == "__main__":
    main()
