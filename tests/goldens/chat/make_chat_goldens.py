"""Makes the expected renderings of chat templates with jinja2, set up as Hugging Face transformers does.

  python3 make_chat_goldens.py FOLDER

FOLDER holds published chat templates as NAME.jinja (they are their publishers' and stay out of this repository; tests look for them in $NANO_DATA/chat).
Written here: conversations.json (what is rendered), published.json (what those templates make of it), constructs.json (small templates of our own and what
they make). Needs jinja2 >= 3.1.
"""

import datetime
import hashlib
import json
import os
import sys

import jinja2
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

NOW = datetime.datetime(2025, 2, 3, 16, 5, 6)
TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def environment():
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = NOW.strftime
    return env


def render(text, variables):
    try:
        return environment().from_string(text).render(**variables)
    except Exception:  # refused by the template, or impossible
        return None


USER = {"role": "user", "content": "Hello"}
ANSWER = {"role": "assistant", "content": "Hi there"}
SYSTEM = {"role": "system", "content": "You are a helpful assistant"}
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city: \"now\" & <here>, in °C",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer", "default": 1}}, "required": ["city"], "strict": True, "x": None, "y": 0.5, "z": [], "w": {}},
    },
}
CALL = {"role": "assistant", "content": "", "tool_calls": [{"id": "abcdef123", "type": "function", "function": {"name": "get_weather", "arguments": {"city": "Köln", "days": 2}}}]}
RESULT = {"role": "tool", "tool_call_id": "abcdef123", "name": "get_weather", "content": "12 °C"}

CONVERSATIONS = {
    "one": {"messages": [USER]},
    "one, not asking": {"messages": [USER], "add_generation_prompt": False},
    "system": {"messages": [SYSTEM, USER]},
    "long": {"messages": [SYSTEM, USER, ANSWER, {"role": "user", "content": "Who are you"}, {"role": "assistant", "content": "   I am an assistant   "}, {"role": "user", "content": "Another question"}]},
    "no system": {"messages": [USER, ANSWER, {"role": "user", "content": " spaces, 'quotes', \"more\", {{ braces }} {% if %}, <|im_end|>\n\nlines\n"}]},
    "ends with the assistant": {"messages": [USER, ANSWER], "add_generation_prompt": False},
    "unicode": {"messages": [{"role": "user", "content": "Grüße, 世界 🌍 \u00a0"}, {"role": "assistant", "content": "\u3000ok\u2003"}, USER]},
    "out of turn": {"messages": [USER, USER]},
    "assistant first": {"messages": [ANSWER, USER]},
    "late system": {"messages": [USER, ANSWER, SYSTEM]},
    "thinking": {"messages": [USER, {"role": "assistant", "content": "<think>\nHm.\n</think>\n\nHi there"}, {"role": "user", "content": "Again"}]},
    "thought": {"messages": [USER, {"role": "assistant", "content": "<think>\nHm.\n</think>\n\nHi there"}], "add_generation_prompt": False},
    "not thinking": {"messages": [USER], "enable_thinking": False},
    "tools": {"messages": [SYSTEM, USER], "tools": [TOOL, TOOL]},
    "tool call": {"messages": [USER, CALL, RESULT, {"role": "assistant", "content": "12 degrees"}, USER], "tools": [TOOL]},
    "tool call, no tools": {"messages": [USER, CALL, RESULT]},
    "another role": {"messages": [{"role": "critic", "content": "No"}]},
    "nothing": {"messages": []},
}

# (template, variables)
CONSTRUCTS = [
    # Text and white space.
    ("", {}), ("plain", {}), ("line\n", {}), ("line\n\n", {}), ("a\r\nb\rc", {}), ("{{ 1 }}\n", {}), ("{{ 1 }}\n{{ 2 }}\n", {}),
    ("a\n  {% if true %}\n  b\n  {% endif %}\n  c", {}), ("a {% if true %} b {% endif %} c", {}), ("  {{ 1 }}  {{ 2 }}", {}), ("a  {{- 1 -}}  b", {}), ("a\n\n {%- if true -%} \n\n b {%- endif %}\n\nc", {}),
    ("  {%+ if true %}\n x{% endif %}", {}), ("a\n{% if true +%}\nb{% endif %}", {}), ("a {# comment #} b", {}), ("a\n  {# comment #}\nb", {}), ("a {#- comment -#} b", {}), ("{# {{ x }} {% y %} #}z", {}),
    ("{% raw %}{{ x }}{% if %}{% endraw %}", {}), ("a\n {% raw %}\n {{ x }}\n {% endraw %}\n b", {}), ("a {%- raw -%}  x  {%- endraw -%} b", {}), ("{ { } } # % {x}", {}), ("{% if true %}\n\n x{% endif %}", {}),
    ("x{%- set a = 1 -%}\t\u00a0\u2003y", {}), ("a\n\t {%- if true %}\n{% endif %}b", {}), ("{{ 'a' }} {%- if true %} b{% endif %}", {}), ("{{+ 1 }}", {}), ("\n\n{{ 1 }}", {}), ("{{- 1 }}\n\n{{- 2 }}", {}),
    # Literals.
    ("{{ 'a\\nb\\t\\\\\\'\\\"' }}|{{ \"it's\" }}|{{ '\\x41\\u00e9\\U0001F30D' }}|{{ '\\q' }}", {}), ("{{ 'a' 'b' \"c\" }}", {}), ("{{ 1 }} {{ 1.5 }} {{ 0 }} {{ 100000000000 }} {{ 2.0 }}", {}),
    ("{{ true }} {{ True }} {{ false }} {{ none }} {{ None }}", {}), ("{{ [1, 'a', none, true, 1.5] }} {{ [] }} {{ (1, 2) }} {{ (1,) }} {{ () }}", {}), ("{{ {'a': 1, 'b': {'c': [2]}} }} {{ {} }}", {}),
    ("{{ {'a': {'b': 1}}['a']['b'] }}", {}), ("{{ {'a': {}}}}", {}), ("{{ 'it\\'s' ~ [\"it's\", 'a\"b', 'both\\'\"', 'tab\\t', 'é\\u200b\\x07', '\\\\'] }}", {}), ("{{ 1, 2 }}", {}), ("{{ [1, 2, ] }}", {}),
    ("{{ 1e }}", {}), ("{{ 'open }}", {}), ("{{ 0.1 + 0.2 }} {{ 1 / 3 }} {{ 10.0 ~ '' }} {{ 1.0 * 100000000 * 100000000 }} {{ 100000.0 * 100000 * 10000 * 10000 * 10 }} {{ 0.001 / 100 }} {{ 0.0001 }} {{ 123456.789 }}", {}),
    # Operators.
    ("{{ 1 + 2 * 3 - 4 }} {{ (1 + 2) * 3 }} {{ 7 / 2 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 7.5 % 2 }} {{ - 3 }} {{ +3 }} {{ 6 / 3 }}", {}), ("{{ 'a' + 'b' ~ 1 ~ none ~ 1.0 }} {{ 'ab' * 3 }} {{ 2 * 'x' }} {{ 'x' * -1 }}|", {}), ("{{ [1] + [2] }} {{ (1,) + (2,) }}", {}),
    ("{{ 'a' + 1 }}", {}), ("{{ 1 + none }}", {}), ("{{ 1 // 0 }}", {}), ("{{ true + 1 }}", {}), ("{{ -'a' }}", {}), ("{{ 1 ~ 2 + 3 }}", {}), ("{{ 2 + 3 ~ 4 * 5 }}", {}),
    ("{{ 1 == 1.0 }} {{ 1 == true }} {{ 'a' == 'a' }} {{ 'a' != 'b' }} {{ none == none }} {{ [1, [2]] == [1, [2]] }} {{ {'a': 1} == {'a': 1.0} }} {{ [1] == (1,) }} {{ '1' == 1 }} {{ none == false }}", {}),
    ("{{ 1 < 2 }} {{ 2 <= 2 }} {{ 'a' < 'b' }} {{ 'ab' > 'a' }} {{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 3 > 2 > 1 != 5 }} {{ 1.5 >= 1 }}", {}), ("{{ 1 < 'a' }}", {}), ("{{ none < 1 }}", {}),
    ("{{ 'a' in 'abc' }} {{ 'x' not in 'abc' }} {{ 1 in [1, 2] }} {{ 'k' in {'k': 0} }} {{ not 'a' in 'abc' }} {{ 3 not in (1, 2) }}", {}), ("{{ 1 in none }}", {}), ("{{ 1 in 'abc' }}", {}),
    ("{{ 1 and 0 }} {{ 0 or 'x' }} {{ not 0 }} {{ '' or none }} {{ 1 and 2 or 3 }} {{ not 1 == 2 }} {{ true and not false }} {{ 0 and x.y }}", {}), ("{{ 'y' if 1 else 'n' }} {{ 'y' if 0 else 'n' }} {{ 'y' if 0 }}| {{ 1 if 0 else 2 if 0 else 3 }} {{ ('a' if x is defined else 'b') ~ 'c' }}", {}),
    # Access.
    ("{{ d.a }} {{ d['a'] }} {{ d.l[0] }} {{ d.l[-1] }} {{ d.l.0 }} {{ d['l'][1:] }} {{ 'abc'[1] }} {{ d.missing }}| {{ d['missing'] }}| {{ d.l[9] }}|", {"d": {"a": 1, "l": [1, 2, 3]}}), ("{{ x }}|{{ x is defined }}", {}), ("{{ x.y }}", {}), ("{{ x['y'] }}", {}), ("{{ d.m.n }}", {"d": {}}),
    ("{{ l[1:] }} {{ l[:-1] }} {{ l[::2] }} {{ l[::-1] }} {{ l[3:1:-1] }} {{ l[-2:] }} {{ l[10:] }} {{ l[:0] }} {{ l[:] }} {{ l[1:3] }} {{ l[-9:2] }} {{ l[5::-2] }}", {"l": [0, 1, 2, 3, 4, 5]}), ("{{ s[1:] }} {{ s[::-1] }} {{ s[-1] }} {{ s[0] }} {{ s[:2] }} {{ s | length }}", {"s": "a🌍é"}), ("{{ (1, 2, 3)[1:] }}", {}), ("{{ 5[0] }}|", {}),
    ("{{ none.x }}|{{ 1.x }}", {}), ("{{ none.x }}|", {}), ("{{ d['items'] }}", {"d": {"items": 3}}), ("{{ 'abc'[none:2] }}", {}),
    # Statements.
    ("{% if a %}1{% elif b %}2{% else %}3{% endif %}", {"b": 1}), ("{% for x in [1, 2, 3] %}{{ x }},{% endfor %}", {}), ("{% for x in [] %}{{ x }}{% else %}none{% endfor %}", {}), ("{% for x in nothing %}{{ x }}{% else %}none{% endfor %}", {}), ("{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}", {"d": {"a": 1, "b": 2}}), ("{% for k in d %}{{ k }}{% endfor %}", {"d": {"a": 1, "b": 2}}),
    ("{% for c in 'a🌍b' %}[{{ c }}]{% endfor %}", {}), ("{% for x in 5 %}{% endfor %}", {}), ("{% for x in none %}{% endfor %}", {}), ("{% for x in range(10) if x % 2 %}{{ x }}{{ ',' if not loop.last }}{% endfor %}", {}), ("{% for a, b in [[1, 2], [3, 4]] %}{{ a + b }} {% endfor %}", {}), ("{% for a, b in [[1]] %}{% endfor %}", {}), ("{% for (a, b) in [(1, 2)] %}{{ a }}{{ b }}{% endfor %}", {}),
    ("{% for x in 'abc' %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.previtem }}{{ loop.nextitem }}{{ loop.cycle('x', 'y') }}{{ loop.depth }} {% endfor %}", {}), ("{% for x in [1, 2] %}{% for y in [3] %}{{ loop.depth }}{{ loop.depth0 }}{{ x }}{{ y }}{% endfor %}{{ loop.last }}{% endfor %}", {}),
    ("{% set x = 1 %}{% for i in [1, 2] %}{{ x }}{% set x = 5 %}{{ x }}{% endfor %}{{ x }}", {}), ("{% for i in [1, 2] %}{% if i == 1 %}{% set x = i %}{% endif %}{{ x }}|{% endfor %}{{ x }}", {}), ("{% if true %}{% set x = 1 %}{% endif %}{{ x }}", {}), ("{% set a, b = 1, 2 %}{{ a }}{{ b }}", {}), ("{% set a, b = 1 %}", {}), ("{% set ns = namespace(n=0) %}{% for i in [1, 2, 3] %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}{{ ns['n'] }}{{ ns.q }}", {}),
    ("{% set d = {} %}{% set d.x = 1 %}", {}), ("{% set x %}a{{ 1 + 1 }}b{% endset %}[{{ x }}]", {}), ("{% set x = 1, 2 %}{{ x }}", {}), ("{% for i in range(10) %}{% if i == 3 %}{% continue %}{% endif %}{% if i == 5 %}{% break %}{% endif %}{{ i }}{% endfor %}", {}), ("{% for i in [1, 2] %}{% for j in [1, 2] %}{% break %}{% endfor %}{{ i }}{% endfor %}", {}),
    ("{% macro m(a, b=2, c='x') %}<{{ a }}{{ b }}{{ c }}>{% endmacro %}{{ m(1) }}{{ m(1, c=3) }}{{ m(a=5) }}{{ m() }}", {}), ("{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", {}), ("{% macro m(n) %}{{ n }}{% if n %}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(3) }}", {}), ("{% set y = 1 %}{% macro m() %}{{ y }}{% endmacro %}{% set y = 2 %}{{ m() }}", {}), ("{% macro m(a) -%} {{ a }} {%- endmacro %}{{ m('x') | upper }}{{ m(1) == '1' }}", {}), ("{% macro m(items) %}{% for i in items %}{{ loop.index }}{% endfor %}{% endmacro %}{% for x in [1, 2] %}{{ m('ab') }}{% endfor %}", {}),
    ("{{ range(3) | list }} {{ range(1, 4) | list }} {{ range(5, 0, -2) | list }} {{ range(0) | list }}", {}), ("{{ range(1, 2, 0) }}", {}), ("{% for i in range(100001) %}{% endfor %}", {}), ("{{ dict(a=1, b='x') }} {{ dict({'a': 1}, b=2) }}", {}), ("{{ raise_exception('no') }}", {}), ("{{ strftime_now('%d %b %Y|%A %a %B %m %y %H:%M:%S %I %p %j %% %F %T') }}", {}), ("{{ unknown() }}", {}), ("{{ 'x'() }}", {}),
    # Filters.
    ("{{ '  a ' | trim }}|{{ 'xxaxx' | trim('x') }}|{{ 'aBc' | upper }}{{ 'aBc' | lower }}{{ 'hELLO wORLD' | capitalize }}{{ \"they're bill's friend-of tWO_three 3rd\" | title }}", {}), ("{{ 5 | trim }}{{ none | upper }}", {}), ("{{ 'aXbX' | replace('X', 'yy') }}{{ 'aa' | replace('a', '') }}", {}), ("{{ [1, 2] | length }}{{ 'é🌍' | length }}{{ {'a': 1} | count }}{{ x | length }}", {}), ("{{ 5 | length }}", {}), ("{{ none | length }}", {}),
    ("{{ x | default('d') }}{{ none | default('d') }}{{ '' | default('d', true) }}{{ '' | d('e', boolean=true) }}{{ 1 | default }}{{ x | default }}{{ x | default(1, true) }}", {}), ("{{ [1, 2] | first }}{{ 'abc' | last }}{{ [] | first }}|", {}), ("{{ 'abc' | list }}{{ {'a': 1} | list }}{{ x | list }}", {}), ("{{ [1, 'a', none] | join(', ') }}{{ [1, 2] | join }}{{ [{'a': 1}, {'a': 2}] | join('-', attribute='a') }}{{ 'abc' | join('.') }}", {}), ("{{ [1, 2] | reverse | list }}{{ 'ab' | reverse }}", {}),
    ("{{ {'a': 1, 'b': 2} | items | list }}{{ x | items | list }}", {}), ("{{ {'b': 1, 'A': 2} | dictsort }}", {}), ("{{ [{'a': 1}, {'a': 2}, {}] | map(attribute='a', default=0) | list }}{{ ['a', 'b'] | map('upper') | join }}{{ [{'a': {'b': 3}}] | map(attribute='a.b') | list }}{{ [' a '] | map('trim') | list }}", {}), ("{{ [0, 1, 2, ''] | select | list }}{{ [1, 2, 3] | select('odd') | list }}{{ [1, 2, 3] | reject('equalto', 2) | list }}{{ [1, 5] | select('>', 2) | list }}{{ [0, 1] | reject | list }}", {}),
    ("{{ l | selectattr('role', 'equalto', 'user') | list }}{{ l | rejectattr('role', 'eq', 'user') | map(attribute='n') | list }}{{ l | selectattr('n') | list | length }}{{ l | selectattr('q', 'defined') | list }}{{ l | selectattr('role', 'in', ['user']) | list | length }}", {"l": [{"role": "user", "n": 1}, {"role": "x", "n": 0}]}), ("{{ '5' | int + 1 }}{{ 'x' | int }}{{ 'x' | int(7) }}{{ 3.9 | int }}{{ '2.5' | float }}{{ true | int }}{{ '3.7' | int }}", {}), ("{{ 5 | string ~ 'a' }}{{ none | string }}{{ [1] | string }}{{ 'x' | safe }}", {}), ("{{ 'a\\nb\\n\\nc' | indent }}|{{ 'a\\nb' | indent(2, true) }}|{{ 'a\\n\\nb' | indent(1, blank=true) }}|{{ 'a\\nb' | indent('> ') }}", {}),
    ("{{ v | tojson }}\n{{ v | tojson(indent=2) }}\n{{ v | tojson(sort_keys=true) }}\n{{ v | tojson(ensure_ascii=true) }}\n{{ v | tojson(separators=(',', ':')) }}\n{{ v | tojson(indent=0) }}", {"v": {"b": [1, 2.0, None, True, "é🌍<&>'\"\\\n\t\u0001\u007f"], "a": {}, "c": [], "d": 1e20, "e": {"f": [[], {"g": -0.5}]}}}), ("{{ x | tojson }}", {}), ("{{ 'a' | tojson | length }}", {}), ("{{ 'abc' | upper | lower | replace('a', 'b') | trim }}", {}), ("{{ 'a' ~ 'b' | upper }}", {}), ("{{ ('a' ~ 'b') | upper }}", {}), ("{{ -1 | string }}", {}), ("{{ 'a' | upper() }}", {}), ("{{ 'a' | upper(1) }}", {}),
    # Tests.
    ("{{ x is defined }}{{ x is undefined }}{{ 1 is defined }}{{ none is none }}{{ 1 is not none }}{{ 'a' is string }}{{ 1 is number }}{{ 1.5 is float }}{{ 1 is integer }}{{ true is integer }}{{ true is boolean }}{{ true is number }}{{ false is false }}{{ true is true }}{{ 1 is true }}", {}), ("{{ {} is mapping }}{{ [] is mapping }}{{ 'a' is iterable }}{{ [] is iterable }}{{ 1 is iterable }}{{ [] is sequence }}{{ {} is sequence }}{{ none is iterable }}{{ range is callable }}", {}), ("{{ 1 is eq 1 }}{{ 1 is equalto(2) }}{{ 2 is even }}{{ 3 is odd }}{{ 9 is divisibleby 3 }}{{ 9 is divisibleby(2) }}{{ 1 is in [1, 2] }}{{ 3 is gt 2 }}{{ 3 is lessthan 2 }}{{ 3 is ne 3 }}{{ none is sameas none }}", {}),
    ("{{ x is defined and x.y }}{{ not x is defined }}{{ x is not defined or false }}{{ 'a' is string and 1 }}{{ 1 if x is none else 2 }}", {}), ("{{ d.a is defined and d.a is not none and d.a is string }}", {"d": {"a": "b"}}), ("{{ 1 is divisibleby }}", {}), ("{{ x.y is defined }}", {}), ("{{ d.x.y is defined }}", {"d": {"x": {}}}), ("{{ (x is string) == false }}", {}),
    # Methods.
    ("{{ ' a '.strip() }}|{{ 'xaxbx'.strip('x') }}|{{ ' a'.lstrip() }}|{{ 'a\\n\\n'.rstrip('\\n') }}|{{ 'abc'.strip('ac') }}", {}), ("{{ 'a,b,,c'.split(',') }}{{ ' a  b\\n'.split() }}{{ 'a,b,c'.split(',', 1) }}{{ 'a,b,c'.rsplit(',', 1) }}{{ 'abc'.split('x') }}{{ ''.split(',') }}{{ ''.split() }}{{ 'a</t>b'.split('</t>')[-1] }}{{ 'a,b'.split(',', 0) }}{{ 'a,b'.split(',', 9) }}", {}), ("{{ 'a'.split('') }}", {}), ("{{ 'abc'.startswith('ab') }}{{ 'abc'.endswith(('x', 'c')) }}{{ 'abc'.startswith('b') }}", {}),
    ("{{ 'aB'.upper() }}{{ 'aB'.lower() }}{{ 'ab cd'.title() }}{{ 'aB c'.capitalize() }}{{ 'aba'.replace('a', 'c') }}{{ ','.join(['a', 'b']) }}{{ 'abc'.find('c') }}{{ 'abc'.find('x') }}{{ 'aa'.count('a') }}{{ '🌍b'.find('b') }}{{ 'abc'.removeprefix('a').removesuffix('c') }}{{ '12'.isdigit() }}{{ ' '.isspace() }}{{ ''.isspace() }}{{ 'a\\nb\\r\\nc\\n'.splitlines() }}", {}), ("{{ ','.join([1]) }}", {}), ("{{ d.get('a') }}{{ d.get('x') }}{{ d.get('x', 3) }}{{ d.keys() | list }}{{ d.values() | list }}{{ d.items() | list }}", {"d": {"a": 1}}), ("{{ 'a'.nothing() }}", {}), ("{{ [].append(1) }}", {}), ("{{ d.update({}) }}", {"d": {}}), ("{{ ''.__class__ }}|", {}),
    # What is wrong.
    ("{{ }}", {}), ("{{ 1 + }}", {}), ("{% if %}{% endif %}", {}), ("{% if 1 %}", {}), ("{% endif %}", {}), ("{% for x in [1] %}{% endif %}", {}), ("{{ 1 }", {}), ("{% nothing %}", {}), ("{# open", {}), ("{% raw %}x", {}), ("{{ (1 }}", {}), ("{{ 1) }}", {}), ("{{ [1 2] }}", {}), ("{{ a b }}", {}), ("{{ 'a' | nothing }}", {}), ("{{ 1 is nothing }}", {}), ("{{ ? }}", {}), ("{% set 1 = 2 %}", {}), ("{% set x %}", {}), ("{{ x. }}", {}), ("{% break %}", {}), ("{{ f(a=1, 2) }}", {}), ("{{ not }}", {}), ("{% for in [] %}{% endfor %}", {}), ("{% else %}", {}), ("{% if 1 %}{% else %}{% else %}{% endif %}", {}), ("{{ 1 if }}", {}),
]


def main():
    folder, here = sys.argv[1], os.path.dirname(os.path.abspath(__file__))
    published = []
    for name in sorted(os.listdir(folder)):
        if not name.endswith(".jinja"):
            continue
        with open(os.path.join(folder, name), newline="", encoding="utf-8") as file:
            text = file.read()
        renderings = {case: render(text, {"tools": None, "documents": None, "add_generation_prompt": True, **TOKENS, **variables}) for case, variables in CONVERSATIONS.items()}
        published.append({"name": name[: -len(".jinja")], "sha256": hashlib.sha256(text.encode()).hexdigest(), "renderings": renderings})
    write(here, "conversations.json", CONVERSATIONS)
    write(here, "published.json", published)
    write(here, "constructs.json", [{"template": text, "variables": variables, "expected": render(text, variables)} for text, variables in CONSTRUCTS])


def write(here, name, value):
    with open(os.path.join(here, name), "w", encoding="utf-8", newline="\n") as file:
        json.dump(value, file, ensure_ascii=True, indent=1)
        file.write("\n")


main()
