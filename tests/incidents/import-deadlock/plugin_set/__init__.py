"""All plugins, found when the package is imported."""
import importlib
from concurrent.futures import ThreadPoolExecutor

NAMES = ['plugin_set.csv_reader', 'plugin_set.json_reader']


def find(name):
    import plugin_set
    return plugin_set.NAMES.index(name), importlib.import_module(name)


with ThreadPoolExecutor(2) as pool:
    PLUGINS = list(pool.map(find, NAMES))
