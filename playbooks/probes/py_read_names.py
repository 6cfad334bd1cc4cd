"""The names that `threading` gave to threads: threading._active, {ident: Thread}."""
from py_read_dicts import Dicts
from py_read_memory import Torn


def thread_names(objects, interpreters):
    """{ident: name}; empty where threading is not imported, or another library stands in for it."""
    names = {}
    for interpreter in interpreters:
        try:
            names.update(names_in(objects, Dicts(objects), interpreter))
        except Torn:
            continue
    return names


def names_in(objects, dicts, interpreter):
    """As thread_names, for one interpreter. Raises Torn."""
    memory, layout = objects.memory, objects.layout
    modules = layout.first('PyInterpreterState.imports.modules', 'PyInterpreterState.modules')
    threading = dicts.value(memory.word(interpreter + modules), 'threading')
    if not threading or not objects.is_instance(threading, 'module'):
        return {}
    active = dicts.value(memory.word(threading + layout['PyModuleObject.md_dict']), '_active')
    names = {}
    for ident, thread in dicts.items(active) if active else ():
        try:
            number = objects.integer(ident)
            name = dicts.attribute(thread, '_Thread__name' if objects.version == (2, 7) else '_name')
            if number is not None and name:
                names[number] = objects.string(name)
        except Torn:
            continue
    return names
