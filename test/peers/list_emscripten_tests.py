# Usage: python3 list_emscripten_tests.py EMSCRIPTEN_ROOT
#
# Prints Emscripten's own tests whose programs allocate, one JSON object a line: `name`, as its runner
# wants it; `about`, whether memory is what it is about (it calls more than malloc and free); `because`,
# what told: the name of the program, or the 'name' or 'text' of the test; `malloc`, whether the test
# itself chooses an allocator. Called by emscripten-tests.mjs.

import ast
import importlib
import json
import os
import re
import sys

ROOT = os.path.abspath(sys.argv[1])
TESTS = os.path.join(ROOT, 'test')

# The suite of the runner for each file: unoptimized programs, and everything else.
SUITES = {'test_core': 'core0', 'test_other': 'other', 'test_stress': 'stress'}

# What few programs call that are not about memory …
RARE = re.compile(
  r'\b_?(calloc|realloc|reallocarray|memalign|aligned_alloc|posix_memalign|valloc|pvalloc'
  r'|malloc_usable_size|mallinfo|malloc_trim|sbrk|brk|emmalloc\w*|dlmalloc\w*|mimalloc\w*'
  r'|emscripten_builtin_(malloc|calloc|realloc|memalign|free))\b|\boperator new\b')
# … and what many do.
COMMON = re.compile(
  r'\b_?(malloc|free|strdup|asprintf)\b|\bnew\s+\w|\bdelete(\[\])?\s+\w')
NAMES = re.compile(r'alloc|memalign|brk|memory_?growth')
CHOICE = re.compile(r"-sMALLOC=|'MALLOC'")
PROGRAM = re.compile(r"""['"]([\w/.-]+\.(?:c|cc|cpp|cxx))['"]""")


def read(file):
  with open(file, encoding='utf-8', errors='replace') as f:
    return f.read()


def because(name, node, text, pattern):
  """What in a test matches: the name of its program, 'text' or 'name'; or None."""
  if NAMES.search(name):
    return 'name'
  for program in PROGRAM.findall(text):
    for folder in ('', 'core', 'other'):
      file = os.path.join(TESTS, folder, program)
      if os.path.isfile(file) and pattern.search(read(file)):
        return program
  strings = [each.value for each in ast.walk(node)
             if isinstance(each, ast.Constant) and isinstance(each.value, str)]
  return 'text' if any(pattern.search(string) for string in strings) else None


def describe(name, node, lines):
  # With its decorators, which have the parameters.
  first = min([node.lineno, *[each.lineno for each in node.decorator_list]])
  text = '\n'.join(lines[first - 1:node.end_lineno])
  about = because(name, node, text, RARE)
  reason = about or because(name, node, text, COMMON)
  return {'about': bool(about), 'because': reason, 'malloc': bool(CHOICE.search(text))}


def main():
  sys.path[:0] = [TESTS, ROOT]
  importlib.import_module('runner')  # before the modules of tests: it reads the configuration
  for module_name, suite in SUITES.items():
    source = read(os.path.join(TESTS, f'{module_name}.py'))
    lines = source.split('\n')
    functions = {node.name: describe(node.name, node, lines) for node in ast.walk(ast.parse(source))
                 if isinstance(node, ast.FunctionDef) and node.name.startswith('test_')}
    for name in dir(getattr(importlib.import_module(module_name), suite)):
      # A test with parameters is there once for each of them: test_name_parameter.
      base = name
      while base and base not in functions:
        base = base.rpartition('_')[0]
      if name.startswith('test_') and base and functions[base]['because']:
        print(json.dumps({'name': f'{suite}.{name}', **functions[base]}))


main()
