# Usage: emcc app.c --use-port=path/to/wasmalloc.py[:allocator=NAME]
#
# Links an allocator of wasmalloc in place of Emscripten's own malloc. Give the same flag when
# compiling if the program includes <wasmalloc.h>. `--use-port=path/to/wasmalloc.py:help` lists the
# allocators and the other options; several options are separated by colons.

import hashlib
import json
import os

from tools import config, utils
from tools.settings import settings as global_settings, user_settings

TAG = '0.1.0'

URL = 'npm:wasmalloc'
DESCRIPTION = 'Five memory allocators, from a bump pointer to a general-purpose malloc'
LICENSE = 'MIT License'

OLDEST_EMSCRIPTEN = (3, 1, 69)

port_folder = os.path.dirname(os.path.abspath(__file__))
source_folder = os.path.join(port_folder, '..', 'lib')

with open(os.path.join(source_folder, 'allocators.json'), encoding='utf-8') as table:
  allocators = {row['name']: row for row in json.load(table)}
with open(os.path.join(source_folder, 'builds.json'), encoding='utf-8') as table:
  builds = {row['name']: row for row in json.load(table)}

OPTIONS = {
  'allocator': 'one of ' + ', '.join(allocators) + ' (default: wasmalloc)',
  **{name: f'1: {row["idea"]}' for name, row in builds.items()},
  'trace': '1 records every call of malloc and the others into a file, `stacks` with call stacks '
           '(default: 0)',
}

# What the options say; handle_options changes it.
opts = {
  'allocator': 'wasmalloc',
  'build': None,
  'trace': '0',
}

# How the library is optimized, whatever the program's own sources are: the part of its name, and the
# compiler's flag. linker_setup changes it.
optimization = {
  'name': '',
  'flag': '-O2',
}

# Whether this is the linker's run: only then all settings are known. linker_setup changes it.
links = False

# The two sources of every variant (docs/architecture.md). Two object files, so that a program with
# a malloc of its own that needs sbrk() gets sbrk() alone.
SOURCES = ['c_interface.c', 'memory_wasm.c']

# The builds that know what was asked for have one more, for C++'s sized deletes.
SIZED_SOURCE = 'sized_delete.c'

# The recorder: one more source, around c_interface.c, and a library of JavaScript.
TRACE_SOURCE = 'trace.c'
TRACE_LIBRARY = os.path.join(port_folder, 'trace.js')


def check_version():
  version = utils.EMSCRIPTEN_VERSION
  numbers = tuple(int(part) for part in version.split('-')[0].split('.'))
  if numbers < OLDEST_EMSCRIPTEN:
    oldest = '.'.join(str(part) for part in OLDEST_EMSCRIPTEN)
    utils.exit_with_error(f'wasmalloc needs Emscripten {oldest} or newer, and this is {version}')


# As soon as the port is loaded: nothing below has been tried with an older one.
check_version()


def handle_options(options, error_handler):
  name = options.get('allocator', opts['allocator'])
  if name not in allocators:
    error_handler(f'there is no allocator `{name}`; there are: {", ".join(allocators)}')
  opts['allocator'] = name
  for build in builds:
    wish = options.get(build, '0')
    if wish not in ('0', '1'):
      error_handler(f'{build}={wish}: it is 1 or 0')
    if wish == '1':
      opts['build'] = build
      if name != 'wasmalloc':
        error_handler(f'{build}=1 is a build of wasmalloc: drop allocator={name}')
  opts['trace'] = options.get('trace', opts['trace'])
  if opts['trace'] not in ('0', '1', 'stacks'):
    error_handler(f'trace is 0, 1 or stacks, not `{opts["trace"]}`')
  # The leak report comes when the program exits, so it has to. Here, because linker_setup comes too late
  # for this; the program's own wish, if it has one, is applied after this.
  if opts['build'] == 'debug':
    global_settings.EXIT_RUNTIME = 1


def linker_setup(ports, settings):
  global links
  links = True
  # The program's own wish, if it has one. settings.MALLOC alone does not tell: it always has a value.
  wish = user_settings.get('MALLOC', 'none')
  if wish != 'none':
    utils.exit_with_error(
      f'-sMALLOC={wish} and --use-port=…/wasmalloc.py both choose an allocator: drop one of them '
      f'(wasmalloc has: {", ".join(allocators)})')
  for setting, flag in [('USE_ASAN', 'address'), ('USE_LSAN', 'leak')]:
    if getattr(settings, setting):
      utils.exit_with_error(
        f'-fsanitize={flag} brings an allocator of its own and cannot work with wasmalloc: drop '
        '--use-port=…/wasmalloc.py from this build')
  settings.MALLOC = 'none'
  if opts['trace'] != '0':
    set_up_trace(settings)
  if opts['build'] == 'debug':
    # Functions keep their names, for the call stacks.
    settings.EMIT_NAME_SECTION = 1
    # As Emscripten's sanitizers have it: the program loads its source map, for files and lines. (What
    # Emscripten's minimal runtime has for that does not run.)
    if settings.GENERATE_SOURCE_MAP and not settings.MINIMAL_RUNTIME:
      settings.LOAD_SOURCE_MAP = 1
      settings.DEFAULT_LIBRARY_FUNCS_TO_INCLUDE += ['$addRunDependency', '$removeRunDependency']
  # Small for a program that is linked with -Oz, fast for all others.
  if settings.SHRINK_LEVEL >= 2:
    optimization.update(name='-oz', flag='-Oz')


def allocator():
  """The row of allocators.json or builds.json."""
  return builds[opts['build']] if opts['build'] else allocators[opts['allocator']]


def set_up_trace(settings):
  if settings.STANDALONE_WASM:
    utils.exit_with_error(
      'trace=1 needs JavaScript, which writes the trace: drop -sSTANDALONE_WASM from this build')
  settings.JS_LIBRARIES += [TRACE_LIBRARY]
  # Linked whether the program allocates or not.
  settings.REQUIRED_EXPORTS += ['wasmalloc_trace_begin']
  if opts['trace'] == 'stacks':
    settings.EMIT_NAME_SECTION = 1  # else the functions in the stacks have numbers


def trace_flags():
  """The part of the library's name for the recorder, its sources, and the compiler flags."""
  if opts['trace'] == '0':
    return '', [], []
  flags = ['-DWASMALLOC_WRAPPED', f'-DWASMALLOC_NAME="{allocator()["name"]}"']
  if opts['trace'] == '1':
    return '-trace', [TRACE_SOURCE], flags
  return '-stacks', [TRACE_SOURCE], [*flags, '-DWASMALLOC_TRACE_STACKS']


def build_flags(settings):
  """The part of the library's name for what a build does at exit, its sources, and the compiler flags."""
  if not opts['build']:
    return '', [], []
  flags = [f'-D{allocator()["define"]}']
  # The check is code that only a program needs whose runtime exits. The debug build always has it.
  if opts['build'] == 'hardened' and links and settings.EXIT_RUNTIME:
    return '-exit', [SIZED_SOURCE], [*flags, '-DWASMALLOC_EXITS']
  return '', [SIZED_SOURCE], flags


def threads(settings):
  """The part of the library's name for its kind of threads, and the compiler flags."""
  if settings.PTHREADS:
    return '-mt', ['-pthread']
  # Wasm workers: atomic instructions, and nothing of pthreads.
  if settings.SHARED_MEMORY or settings.WASM_WORKERS:
    return '-ww', ['-sSHARED_MEMORY']
  return '', []


def source_hash():
  """A digest of all files in lib/ and of this file: what is compiled, and how."""
  files = [os.path.join(source_folder, name) for name in sorted(os.listdir(source_folder))
           if name.endswith(('.c', '.h'))]
  digest = hashlib.sha256()
  for file in files + [os.path.join(port_folder, 'wasmalloc.py')]:
    with open(file, 'rb') as f:
      content = f.read()
    digest.update(f'{os.path.basename(file)} {len(content)}\n'.encode())
    digest.update(content)
  return digest.hexdigest()[:16]


def get_lib_name(settings):
  # Emscripten keeps libraries for wasm64, for dynamic linking and for LTO in folders of their own.
  # The rest of what makes a difference is in the name, the sources too: an edited or upgraded
  # wasmalloc is never taken from an old cache.
  kind, _ = threads(settings)
  build, _, _ = build_flags(settings)
  trace, _, _ = trace_flags()
  kind += build + trace + optimization['name']
  return f'libwasmalloc-{allocator()["name"]}{kind}-{source_hash()}.a'


def get(ports, settings, shared):
  name = get_lib_name(settings)
  _, flags = threads(settings)
  _, sources_of_build, flags_of_build = build_flags(settings)
  _, sources_of_trace, flags_of_trace = trace_flags()
  sources = SOURCES + sources_of_build + sources_of_trace
  flags = flags + flags_of_build + flags_of_trace + [
    optimization['flag'],  # comes after build_port's own -O2
    '-std=c11', '-DNDEBUG',
    # build_port compiles with -Werror, but what a newer compiler has to say is no reason to fail in
    # somebody else's build. (Not -Wno-error: that leaves emcc's own warnings errors.)
    '-w',
    f'-DWASMALLOC_ALLOCATOR="{allocator()["file"]}"',
    # The optimizer can invent calls of malloc's family after a bitcode file has been linked, and
    # inside malloc it must not make calloc out of malloc and memset.
    '-fno-lto',
    *[f'-fno-builtin-{function}' for function in [
      'malloc', 'calloc', 'realloc', 'free', 'aligned_alloc', 'memalign', 'posix_memalign']],
  ]

  def create(final):
    # Each variant is built in a folder of its own: older versions do not see to that themselves.
    build_name = os.path.join('wasmalloc', name.replace('.a', ''))
    ports.build_port(os.path.normpath(source_folder), final, build_name, srcs=sources, flags=flags)

  if config.FROZEN_CACHE and not os.path.exists(shared.cache.get_lib_name(name, absolute=True)):
    utils.exit_with_error(
      f'Emscripten\'s cache is frozen and has no {name}: link once with EM_FROZEN_CACHE=0, or with '
      'EM_CACHE set to a folder that can be written to')
  return [shared.cache.get_lib(name, create, what='port')]


def clear(ports, settings, shared):
  shared.cache.erase_lib(get_lib_name(settings))


def process_args(ports):
  return ['-isystem', os.path.join(port_folder, 'include')]


def show():
  return f'wasmalloc ({DESCRIPTION}; --use-port=path/to/wasmalloc.py; {LICENSE})'
