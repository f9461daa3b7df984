"""Makes differential.json: small templates by construct, and random ones, with what Jinja makes of them.

  python3 make_differential.py            writes differential.json beside this file (Jinja 3.1.6, MarkupSafe 3, Python 3.11)
  python3 make_differential.py SEED COUNT writes COUNT other random ones to stdout, to search for differences

A template whose text shows an address, or an order that Python does not promise, is left out.
"""

import datetime
import functools
import json
import os
import random
import re
import signal
import sys

from differential_templates import TEMPLATES, VARIABLES
from jinja_as_transformers import outcome

NOW = datetime.datetime(2024, 7, 6, 5, 4, 3, 20100)

ATOMS = [
    "0", "1", "2", "-3", "7", "10", "2.5", "-0.5", "1e3", "1.0", "true", "false", "none", "undef", "'abc'", "'a b'", "''", "'<b>'",
    "'7'", "' x '", "'1.5'", "'a,b,c'", "[]", "[3, 1, 2]", "['b', 'A', 'c']", "(1, 2)", "()", "{}", "{'a': 1, 'b': 2}", "{1: 'x', 2: 'y'}",
    "range(4)", "s", "n", "f", "l", "d", "rows", "nested", "uni", "big", "m", "'%s-%s'", "'{}'", "d.items()", "rows[0]", "l | map('string')",
]
BINARY = ["+", "-", "*", "/", "//", "%", "~", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or"]
FILTERS = [
    "abs", "attr('a')", "batch(2)", "batch(2, 'x')", "capitalize", "center(9)", "count", "d('z')", "default('z', true)", "dictsort",
    "dictsort(by='value')", "e", "first", "float", "float(1.5)", "forceescape", "format(1, 2)", "format('a')", "groupby('k')", "indent(2)", "indent",
    "int", "int(9)", "items", "join", "join(',')", "join('-', 'k')", "last", "length", "list", "lower", "map('upper')", "map(attribute='k')", "max",
    "min", "pprint", "reject('odd')", "reject", "rejectattr('k')", "replace('a', 'x')", "replace('a', '<', 1)", "reverse", "round", "round(1)",
    "round(1, 'floor')", "round(method='ceil')", "safe", "select", "select('string')", "selectattr('k', 'gt', 1)", "slice(2)", "slice(2, 'x')", "sort",
    "sort(reverse=true)", "sort(attribute='k')", "string", "striptags", "sum", "sum('k')", "sum(start=1)", "title", "tojson", "tojson(indent=1)", "trim",
    "trim('a')", "truncate(5)", "truncate(5, true, '!', 0)", "unique", "upper", "urlencode", "wordcount", "wordwrap(4)", "xmlattr", "filesizeformat",
]
TESTS = [
    "defined", "undefined", "none", "string", "number", "integer", "float", "boolean", "true", "false", "mapping", "iterable", "sequence", "callable",
    "escaped", "lower", "upper", "even", "odd", "eq(1)", "ne('a')", "lt(3)", "ge(2)", "in([1, 'abc'])", "divisibleby(2)", "filter", "test",
]
POSTFIX = [
    "[0]", "[-1]", "['a']", ".a", ".k", "[1:]", "[::-1]", "[:2]", "[::2]", "[none]", "[1.0]", "[true]", ".0", ".upper()", ".items()", ".keys()", ".values()",
    ".split()", ".split(',')", ".split(' ', 1)", ".strip()", ".get('a')", ".get('q', 3)", ".count('a')", ".count(1)", ".index(1)", ".index('a')", ".replace('a', 'b')",
    ".title()", ".format(1, 2)", ".format(s)", ".join(['x', 'y'])", ".startswith('a')", ".isdigit()", ".zfill(5)", ".center(7, '*')", ".partition(',')",
    ".rsplit(None, 1)", ".splitlines()", ".copy()", ".append(1)", ".update({})", ".pop()", ".real", ".x.y", "()", ".swapcase()", ".find('b')",
]


class Once:
    """An iterator like the generators that filters return, except that a template that shows its address is left out."""

    def __init__(self, values):
        self.values = values

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.values)

    def __repr__(self):
        raise LeftOut


class LeftOut(BaseException):
    pass


def too_long(*_):
    raise LeftOut


signal.signal(signal.SIGALRM, too_long)


def once(environment):
    """Wraps the filters that return iterators."""
    for name in ("map", "select", "reject", "selectattr", "rejectattr", "items", "batch", "slice", "unique", "reverse"):
        environment.filters[name] = wrapped(environment.filters[name])
    return environment


def wrapped(body):
    @functools.wraps(body)
    def call(*args, **kwargs):
        result = body(*args, **kwargs)
        return Once(result) if hasattr(result, "__next__") else result
    return call


def expression(rng, depth):
    kind = rng.randrange(12) if depth > 0 else 0
    if kind == 0:
        return rng.choice(ATOMS)
    if kind in (1, 2):
        left, right = expression(rng, depth - 1), expression(rng, depth - 1)
        return f"({left} {rng.choice(BINARY)} {right})"
    if kind in (3, 4, 5):
        return f"({expression(rng, depth - 1)} | {rng.choice(FILTERS)})"
    if kind in (6, 7):
        inner, postfix = expression(rng, depth - 1), rng.choice(POSTFIX)
        # Jinja slices constants by other rules while it compiles.
        if ":" in postfix and not re.search(r"\b(s|n|f|l|d|rows|nested|uni|big|m|undef)\b", inner):
            postfix = ".a"
        return (f"({inner})" if not inner.startswith("(") else inner) + postfix
    if kind == 8:
        return f"({expression(rng, depth - 1)} is {rng.choice(['', 'not '])}{rng.choice(TESTS)})"
    if kind == 9:
        return f"({expression(rng, depth - 1)} if {expression(rng, depth - 1)}{rng.choice(['', ' else ' + expression(rng, depth - 1)])})"
    if kind == 10:
        return f"(not {expression(rng, depth - 1)})" if rng.random() < 0.4 else f"(-{expression(rng, depth - 1)})"
    return f"[{expression(rng, depth - 1)}, {expression(rng, depth - 1)}]"


def statement(rng, depth):
    e = expression(rng, 2)
    kind = rng.randrange(9)
    inner = statement(rng, depth - 1) if depth > 0 else "{{ x }}|"
    trim = rng.choice(["", "", "-", "+"])
    if kind == 0:
        return f"{{%{trim} if {e} %}}\n{inner}{{%- else {trim}%}}no{{% endif %}}\n"
    if kind == 1:
        return f" {{%{trim} for x in {e} {trim}%}}{inner}{{{{ loop.index }}}}{{% if loop.last %}}.{{% endif %}}{{% else %}}empty{{% endfor %}}\n"
    if kind == 2:
        return f"{{% set x = {e} %}} {inner}"
    if kind == 3:
        return f"{{% set x %}}{inner}{{{{ {e} }}}}{{% endset %}}[{{{{ x }}}}]"
    if kind == 4:
        return f"{{% macro m(x, y=2) %}}<{inner}{{{{ y }}}}{{{{ varargs }}}}>{{% endmacro %}}{{{{ m({e}) }}}}{{{{ m(1, 2, *[{e}]) }}}}"
    if kind == 5:
        return f"{{% with x = {e} %}}{inner}{{% endwith %}}{{{{ x }}}}"
    if kind == 6:
        return f"{{% filter {rng.choice(FILTERS)} %}}{inner}{{% endfilter %}}"
    if kind == 7:
        return f"{{% for x in {e} if {expression(rng, 1)} %}}{inner}{{% if x %}}{{% continue %}}{{% endif %}}{{{{ loop.length }}}}{{% endfor %}}"
    return f"{{{{{trim if trim != '+' else ''} {e} }}}} \n{inner}"


def shows_address(result):
    return re.search(r"0x[0-9a-f]{6}|<(class|built-in|bound|generator|function|method|list_reverse|dict_reverse|reversed|range_it)", result.get("text", ""))


def random_cases(seed, count):
    rng = random.Random(seed)
    cases = []
    while len(cases) < count:
        template = "{{ " + expression(rng, 3) + " }}" if rng.random() < 0.7 else statement(rng, 2)
        signal.setitimer(signal.ITIMER_REAL, 0.5)  # some powers of random numbers take for ever
        try:
            result = outcome(template, VARIABLES, NOW, once)
        except LeftOut:
            continue
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        # Most random expressions are errors; a quarter of them is enough.
        if "error" in result and rng.random() > 0.25 or len(result.get("text", "")) > 600 or shows_address(result):
            continue
        cases.append({"template": template, **result})
    return cases


def case(item):
    template, variables = item if isinstance(item, tuple) else (item, VARIABLES)
    result = outcome(template, variables, NOW)
    assert not shows_address(result), (template, result)
    return {"template": template, **result} if variables is VARIABLES else {"template": template, "variables": variables, **result}


def document(cases):
    return {"now": NOW.isoformat(), "variables": VARIABLES, "cases": cases}


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(document(random_cases(int(sys.argv[1]), int(sys.argv[2])))))
    else:
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "differential.json"), "w", encoding="utf-8", newline="\n") as file:
            head = json.dumps({"now": NOW.isoformat(), "variables": VARIABLES})[:-1]
            cases = [case(item) for item in TEMPLATES] + random_cases(1, 1500)
            file.write(head + ', "cases": [\n' + ",\n".join(json.dumps(c) for c in cases) + "\n]}\n")
