"""A service whose configuration module loads rates in a thread while it is imported, and waits for it."""
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing

standing.when_inside('main', for_seconds=0.6)


def main():
    import rates_config
    return rates_config.RATES


main()
