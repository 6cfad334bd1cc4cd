"""Imports a module that asks a worker thread over queues, while that thread imports from the same module."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing

standing.when_inside('run', for_seconds=0.6)


def run():
    import report_store
    return report_store.TABLES


run()
