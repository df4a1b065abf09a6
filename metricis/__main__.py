"""`python -m metricis` is the command line."""

from metricis.cli import main

if __name__ == "__main__":
    main()
