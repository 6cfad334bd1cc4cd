"""Loads plugins of a package with a thread pool, from the body of the package itself."""
import importlib
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


class Host:
    def load(self):
        return importlib.import_module('plugin_set')


standing.when_inside('load', for_seconds=0.6)
Host().load()
