"""Where a program's source adds to a container and where it takes away from it, as far as its text says so.

Lines are found by the container's name; a name that is used for several things finds the lines of all of them, so only files
in which the container is known by that name are searched.
"""
import re

from py_read_source import indentation, read_lines

FILES_MOST = 40
LINES_MOST = 4  # of each kind
MAKERS = ('<module>', '__init__', '__new__')
TEXT_MOST = 160
DEFINITION = re.compile(r'\s*(?:async\s+)?(def|class)\s+(\w+)')
ADDING = r'(?:\[[^\]]*\]\s*(?:[-+|&*/]?=(?!=)|\.(?:append|add|extend|update|setdefault|insert)\()|\.(?:append|appendleft|extend|extendleft' \
         r'|add|insert|update|setdefault|put|push|__setitem__)\b|\s*(?:\+=|\|=))'
EMPTYING = r'(?:\[\s*(?::|0:)[^\]]*\]\s*=(?!=)|\.(?:clear|cache_clear)\b)'
TAKING = r'\.(?:popleft\b|pop\(\s*(?:0|-1)?\s*\)|popitem\(\s*\)%s)'
REMOVING = r'(?:\[[^\]]*:[^\]]*\]\s*=(?!=)|\.(?:pop|popitem|remove|discard|difference_update|intersection_update' \
           r'|evict\w*|expire\w*|prune\w*|trim\w*|truncate\w*)\b)'
# Loops that need not have an end: over what counts for ever, or as long as nobody says stop.
ENDLESS = re.compile(r'while\s*\(?\s*(?:True\b|1\b|not\b|[\w.]*(?:run|alive|active|open|serv|up\b|go\b|work))'
                     r'|for\b.*\bin\s+(?:itertools\.)?(?:count|cycle|repeat|iter)\(')
LOOP = re.compile(r'\s*(?:async\s+)?(for|while)\b')
MEASURING = re.compile(r'\b(?:if|while)\b.*\blen\(.*[<>]')
SETTING = re.compile(r'\bgc\.(?:disable|set_threshold|freeze|set_debug)\s*\(|(?<![\w.])(?:set_threshold|freeze)\s*\(')


class Use(object):
    """One line: `kind` is `adds`, `empties`, `takes` (one at a time), `removes` or `measures`; `function` the one it is in, or
    `<module>`; `loop` the outermost loop around it in that function: `endless`, `finite` (as far as its text says) or ''.
    """

    __slots__ = ('kind', 'file', 'line', 'function', 'text', 'loop')

    def __init__(self, kind, file, line, function, text, loop=''):
        self.kind, self.file, self.line, self.function, self.text, self.loop = kind, file, line, function, text, loop


def uses(pid, holder, files, family):
    """The Uses of a Holder's container of that family in its file and, for an attribute, the other `files`. None when none can be read."""
    name = re.escape(holder.name)
    if not holder.name.isidentifier():
        return None
    patterns = (
        ('empties', re.compile(r'\bdel\s+[\w.]*\b%s\s*\[\s*:|\b%s%s' % (name, name, EMPTYING))),
        ('takes', re.compile(r'\b%s%s' % (name, TAKING % (r'|get(?:_nowait)?\(' if family == 'deque' else '')))),
        ('removes', re.compile(r'\bdel\s+[\w.]*\b%s\b\s*\[|\b%s%s' % (name, name, REMOVING))),
        ('adds', re.compile(r'\b%s%s' % (name, ADDING))),
        ('measures', re.compile(r'\blen\(\s*[\w.]*\b%s\s*\)\s*[<>=]|[<>]=?\s*len\(\s*[\w.]*\b%s\s*\)' % (name, name))),
    )
    binds = re.compile(r'(?:^|[\s.,])%s\s*(?::[^=]+)?=(?!=|\s*None\b)' % name)
    paths = [holder.file] if holder.kind == 'local' else [holder.file] + [path for path in files if path != holder.file]
    found, read = [], False
    for path in paths[:FILES_MOST]:
        lines = read_lines(pid, path)
        read = read or bool(lines)
        bound = []
        for number, text in enumerate(lines, 1):
            if holder.name not in text or text.lstrip().startswith('#'):
                continue
            if holder.kind == 'local' and not in_function(lines, holder.line, number):
                continue
            kind = next((kind for kind, pattern in patterns if pattern.search(text)), None)
            use = Use(kind, path, number, enclosing(lines, number), text.strip()[:TEXT_MOST], loop_around(lines, number))
            if kind is not None:
                found.append(use)
                if kind not in ('adds', 'measures') and MEASURING.search(text):  # `while len(seen) > 500: seen.pop()`
                    found.append(Use('measures', path, number, use.function, use.text, use.loop))
            elif binds.search(text) and 'import ' not in text:
                bound.append(use)
        # To bind the name again, elsewhere than where the object is made or in a loop there, lets go of what was there.
        adds = [use.line for use in found if use.kind == 'adds' and use.file == path]
        for index, use in enumerate(bound):
            elsewhere = use.function not in MAKERS or bool(use.loop)
            again = made_anew(lines, use.line, adds)
            if again or (index if holder.kind == 'local' else len(bound) > 1 and elsewhere):
                use.kind = 'empties'
                found.append(use)
    found = [use for at, use in enumerate(found) if sum(1 for other in found[:at] if other.kind == use.kind) < LINES_MOST]
    return found if read else None


def loops_around(lines, number):
    """The loops around line `number` in its function, innermost first: (line, `endless` or `finite` as far as its text says)."""
    margin, found = indentation(lines[number - 1]) + 1, []  # the line itself may be the loop
    for at in range(number, 0, -1):
        text = lines[at - 1]
        if text.strip() and indentation(text) < margin and not text.lstrip().startswith(('#', ')', ']', '}')):
            margin = indentation(text)
            if DEFINITION.match(text):
                break
            if LOOP.match(text):
                found.append((at, 'endless' if ENDLESS.match(text.strip().replace('async ', '')) else 'finite'))
    return found


def loop_around(lines, number):
    """Whether the outermost loop around line `number` in its function is `endless` or `finite`, '' for none."""
    loops = loops_around(lines, number)
    return loops[-1][1] if loops else ''


def made_anew(lines, bound, adds):
    """Whether each round of a loop binds the name anew, and no line that adds to it goes on for ever within one round."""
    rounds = loops_around(lines, bound)
    return bool(rounds) and bool(adds) and all(
        loop in rounds or loop[1] != 'endless' for line in adds for loop in loops_around(lines, line))


def collector_settings(pid, files):
    """Uses of kind `sets` where the program's own files set the garbage collector."""
    found = []
    for path in files[:FILES_MOST]:
        lines = read_lines(pid, path)
        if not any('gc' in text for text in lines):
            continue
        for number, text in enumerate(lines, 1):
            if SETTING.search(text) and not text.lstrip().startswith('#') and len(found) < LINES_MOST:
                found.append(Use('sets', path, number, enclosing(lines, number), text.strip()[:TEXT_MOST]))
    return found


def enclosing(lines, number):
    """Name of the function that line `number` is in, `<module>` when it is in none."""
    margin = indentation(lines[number - 1])
    for at in range(number - 1, 0, -1):
        text = lines[at - 1]
        if text.strip() and indentation(text) < margin:
            margin = indentation(text)
            match = DEFINITION.match(text)
            if match and match.group(1) == 'def':
                return match.group(2)
            if match:
                return '<module>'
    return '<module>'


def in_function(lines, first, number):
    """Whether line `number` belongs to the function whose first line is `first`."""
    if not 0 < first <= len(lines) or number < first:
        return False
    margin = indentation(lines[first - 1])
    for at in range(first + 1, number + 1):
        text = lines[at - 1]
        if text.strip() and indentation(text) <= margin and not text.lstrip().startswith(('#', ')', ']', '}', 'def ', 'async ', '@')):
            return False
        if at > first + 1 and text.strip() and indentation(text) <= margin and text.lstrip().startswith(('def ', 'async ')):
            return False
    return True
