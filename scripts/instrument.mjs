// Usage: import { instrument, highlight } from './instrument.mjs';
//
// Makes C sources tell what they do, for the playground: where each statement begins a call of a hook is put
// in, and the sources themselves stay as they are. It works on what the preprocessor makes of them, where no
// macro hides the syntax; the preprocessor's marks say which line of which file is meant.
import path from 'node:path';
import Parser from 'tree-sitter';
import C from 'tree-sitter-c';

const parser = new Parser();
parser.setLanguage(C);

/** The binding reads a text in pieces of this size, and takes no text that is longer. */
const BUFFER_SIZE = 1 << 20;

const parse = (text) => parser.parse(text, null, { bufferSize: BUFFER_SIZE }).rootNode;

/** What the instrumented code calls; site/simulation.js provides it. */
const HOOKS = ['step(int step)', 'enter(int function)', 'leave(void)']
  .concat('value(int variable, unsigned long long value)')
  .map((hook) => {
    const name = hook.slice(0, hook.indexOf('('));
    return `__attribute__((import_module("site"), import_name("${name}"))) void site_${hook};\n`;
  })
  .concat('__attribute__((unused)) static void site_left(const char *frame) { site_leave(); }\n')
  .join('');

/** For each row of a preprocessed text the file, relative to the folder, and the line that it comes from. */
function readMarks(text, folder) {
  let file;
  let line = 0;
  return text.split('\n').map((row) => {
    const mark = row.match(/^# (\d+) "([^"]*)"/);
    if (!mark) return { file, line: line++ };
    line = Number(mark[1]);
    file = path.relative(folder, path.resolve(folder, mark[2]));
    return {};
  });
}

function childrenOf(node) {
  return node.namedChildren.filter(({ type }) => type !== 'comment');
}

/** The declarator's name, and whether it is a pointer; undefined for what has no value of one word. */
function readDeclarator(node) {
  if (node.type === 'identifier') return { name: node.text, pointer: false };
  if (node.type === 'init_declarator') return readDeclarator(node.childForFieldName('declarator'));
  if (node.type !== 'pointer_declarator') return undefined;
  const inner = readDeclarator(node.childForFieldName('declarator'));
  return inner && { ...inner, pointer: true };
}

/** Instruments one function: collects the texts to insert, and what the hooks' numbers mean. */
class FunctionInstrumenter {
  #variables = new Map();

  constructor(tables, insert, place, name) {
    this.tables = tables;
    this.insert = insert;
    this.place = place;
    this.name = name;
  }

  run(definition) {
    const { functions } = this.tables;
    const body = definition.childForFieldName('body');
    let declarator = definition.childForFieldName('declarator');
    while (declarator.type !== 'function_declarator')
      declarator = declarator.childForFieldName('declarator');
    const parameters = childrenOf(declarator.childForFieldName('parameters'));
    const values = parameters.flatMap((parameter) => this.#declare(parameter, true));
    functions.push(this.name);
    const frame = '__attribute__((cleanup(site_left), unused)) char site_frame;';
    const enter = `site_enter(${functions.length - 1});`;
    this.insert(body.startIndex + 1, ` ${frame} ${enter} ${values.join(' ')}`);
    for (const statement of childrenOf(body)) this.#statement(statement);
  }

  /** Makes variables known; answers the calls that tell the values of those that have one. */
  #declare(node, all) {
    const type = node.childForFieldName('type');
    return node.childrenForFieldName('declarator').flatMap((declarator) => {
      const variable = readDeclarator(declarator);
      if (!variable || (!variable.pointer && /^(struct|union)_/.test(type.type))) return [];
      this.tables.variables.push(variable);
      this.#variables.set(variable.name, this.tables.variables.length - 1);
      return all || declarator.type === 'init_declarator' ? [this.#value(variable.name)] : [];
    });
  }

  /** A call that tells the value of a variable. */
  #value(name) {
    const number = this.#variables.get(name);
    const cast = this.tables.variables[number].pointer ? '(__UINTPTR_TYPE__)' : '';
    return `site_value(${number}, (unsigned long long)${cast}(${name}));`;
  }

  /** Calls that tell the values of the variables that an expression changes. */
  #changes(node) {
    if (!node) return [];
    const targets = node
      .descendantsOfType(['assignment_expression', 'update_expression'])
      .map((change) => change.childForFieldName('left') ?? change.childForFieldName('argument'))
      .filter(({ type, text }) => type === 'identifier' && this.#variables.has(text));
    return [...new Set(targets.map(({ text }) => text))].map((name) => this.#value(name));
  }

  /** A call that tells that the source from one node's beginning to another's end is about to run. */
  #step(from, to = from) {
    const { file, line } = this.place(from.startPosition.row);
    const last = this.place(to.endPosition.row).line;
    this.tables.steps.push([this.tables.files.indexOf(file), line, last]);
    return `site_step(${this.tables.steps.length - 1});`;
  }

  /** Has `prefix` run before a condition, and the variables told that it changes. */
  #condition(node, prefix) {
    const inner = node.type === 'parenthesized_expression' ? childrenOf(node)[0] : node;
    const changes = this.#changes(inner);
    if (!prefix && !changes.length) return;
    this.insert(inner.startIndex, `({ ${prefix} _Bool site_condition = (`);
    this.insert(inner.endIndex, `); ${changes.join(' ')} site_condition; })`);
  }

  /** A statement that depends on another one becomes a block, so that hooks fit in. */
  #dependent(node) {
    if (node.type === 'compound_statement') return this.#statement(node);
    this.insert(node.startIndex, '{ ');
    this.#statement(node);
    this.insert(node.endIndex, ' }');
  }

  #statement(node) {
    switch (node.type) {
      case 'compound_statement':
        return childrenOf(node).forEach((child) => this.#statement(child));
      case 'case_statement': {
        const value = node.childForFieldName('value');
        return childrenOf(node).forEach(
          (child) => child.startIndex !== value?.startIndex && this.#statement(child),
        );
      }
      case 'if_statement': {
        const condition = node.childForFieldName('condition');
        this.insert(node.startIndex, `${this.#step(node, condition)} `);
        this.#condition(condition, '');
        this.#dependent(node.childForFieldName('consequence'));
        const alternative = node.childForFieldName('alternative');
        if (alternative) this.#dependent(childrenOf(alternative)[0]);
        return;
      }
      case 'switch_statement': {
        this.insert(node.startIndex, `${this.#step(node, node.childForFieldName('condition'))} `);
        return this.#statement(node.childForFieldName('body'));
      }
      case 'while_statement':
      case 'do_statement': {
        const condition = node.childForFieldName('condition');
        const from = node.type === 'do_statement' ? condition : node;
        this.#condition(condition, this.#step(from, condition));
        return this.#dependent(node.childForFieldName('body'));
      }
      case 'for_statement':
        return this.#loop(node);
      case 'declaration': {
        if (!node.descendantsOfType('init_declarator').length) {
          this.#declare(node, false);
          return;
        }
        this.insert(node.startIndex, `${this.#step(node)} `);
        return this.insert(node.endIndex, ` ${this.#declare(node, false).join(' ')}`);
      }
      case 'expression_statement': {
        const [expression] = childrenOf(node);
        if (!expression || expression.type === 'cast_expression') return; // nothing happens
        this.insert(node.startIndex, `${this.#step(node)} `);
        return this.insert(node.endIndex, ` ${this.#changes(node).join(' ')}`);
      }
      case 'return_statement':
      case 'break_statement':
      case 'continue_statement':
        return this.insert(node.startIndex, `${this.#step(node)} `);
      case 'enum_specifier':
        return; // constants: nothing happens
      default:
        throw new Error(`${node.type} in ${this.name}: scripts/instrument.mjs does not know it`);
    }
  }

  /** A step of `for` is the test of its condition: what came before it, the start or the update, is done. */
  #loop(node) {
    const initializer = node.childForFieldName('initializer');
    const condition = node.childForFieldName('condition');
    const update = node.childForFieldName('update');
    const body = node.childForFieldName('body');
    const started =
      initializer?.type === 'declaration'
        ? this.#declare(initializer, false)
        : this.#changes(initializer);
    if (condition) {
      const values = [...new Set([...started, ...this.#changes(update)])];
      this.#condition(condition, `${values.join(' ')} ${this.#step(node, update ?? condition)}`);
    }
    this.#dependent(body);
  }
}

/**
 * Puts hooks into a preprocessed C source.
 *
 * @param {string} text what the preprocessor made, with its marks
 * @param {string} folder where the preprocessor ran
 * @param {string[]} files the files in that folder that are to be instrumented
 * @param {object} [tables] those of another source that goes into the same module, to be continued
 * @returns {{ text: string, tables: { files: string[], functions: string[],
 *   steps: [number, number, number][], variables: { name: string, pointer: boolean }[] } }} the text with
 *   hooks, and what the numbers that the hooks get mean; a step is a file's number, its first and its last line
 */
export function instrument(
  text,
  folder,
  files,
  tables = { files, functions: [], steps: [], variables: [] },
) {
  const rows = readMarks(text, folder);
  const insertions = [];
  const insert = (index, inserted) => insertions.push({ index, inserted });
  // The grammar knows the macro offsetof, not what it stands for, and no marks.
  const grammatical = text
    .replaceAll('__builtin_offsetof', 'offsetof'.padStart('__builtin_offsetof'.length))
    .replace(/^#.*/gm, (mark) => ' '.repeat(mark.length));
  const root = parse(grammatical);
  for (const definition of root.descendantsOfType('function_definition')) {
    if (!files.includes(rows[definition.startPosition.row].file)) continue;
    if (definition.hasError)
      throw new Error(`cannot parse ${definition.text.slice(0, definition.text.indexOf('{'))}`);
    const [{ text: name }] = definition
      .childForFieldName('declarator')
      .descendantsOfType('identifier');
    new FunctionInstrumenter(tables, insert, (row) => rows[row], name).run(definition);
  }
  // Of insertions at one place the later ones come from further inside.
  const sorted = insertions
    .map((insertion, order) => ({ ...insertion, order }))
    .sort((a, b) => a.index - b.index || a.order - b.order);
  let result = '';
  let done = 0;
  for (const { index, inserted } of sorted) {
    result += text.slice(done, index) + inserted;
    done = index;
  }
  return { text: HOOKS + result + text.slice(done), tables };
}

const KINDS = {
  comment: 'comment',
  primitive_type: 'type',
  type_identifier: 'type',
  number_literal: 'number',
  string_literal: 'string',
  system_lib_string: 'string',
  field_identifier: 'field',
};

function kindOf(node) {
  if (KINDS[node.type]) return KINDS[node.type];
  if (/^#/.test(node.type)) return 'directive';
  if (!node.isNamed && /^[a-z]/.test(node.type)) return 'keyword';
  if (node.type !== 'identifier') return undefined;
  const isCalled = /^(call_expression|function_declarator)$/.test(node.parent.type);
  return isCalled ? 'function' : undefined;
}

/**
 * A C source for display.
 *
 * @param {string} text
 * @returns {[string, string?][][]} for each line its pieces: a text and, where it is something special, what
 */
export function highlight(text) {
  const pieces = [];
  let done = 0;
  const visit = (node) => {
    const kind = kindOf(node);
    if (!kind) return node.children.forEach(visit);
    if (node.startIndex < done) return;
    pieces.push([text.slice(done, node.startIndex)], [node.text, kind]);
    done = node.endIndex;
  };
  visit(parse(text));
  pieces.push([text.slice(done)]);
  const lines = [[]];
  for (const [piece, kind] of pieces)
    piece.split('\n').forEach((part, index) => {
      if (index) lines.push([]);
      if (part) lines.at(-1).push(kind ? [part, kind] : [part]);
    });
  if (!lines.at(-1).length) lines.pop();
  return lines;
}
