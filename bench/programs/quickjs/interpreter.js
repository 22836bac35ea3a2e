// A small language: its text is split by a regular expression, parsed to a tree, and evaluated by
// closures.
/* global print */
'use strict';

const TOKEN = /\s*(?:(?<number>\d+(?:\.\d+)?)|(?<name>[a-z_]+)|(?<sign>[-+*/()=;,{}<]))/gy;

function* tokens(text) {
  TOKEN.lastIndex = 0;
  for (let match; (match = TOKEN.exec(text));) {
    const [kind, value] = Object.entries(match.groups).find(([, value]) => value !== undefined);
    yield { kind, value };
  }
}

function parse(text) {
  const all = [...tokens(text)];
  let at = 0;
  const is = (value) => all[at]?.value === value;
  const take = (value) => {
    if (!is(value)) throw new SyntaxError(`${value} wanted at ${at}, not ${all[at]?.value}`);
    ++at;
  };
  const level = (signs, next) => () => {
    let left = next();
    while (signs.some(is)) left = { kind: all[at++].value, left, right: next() };
    return left;
  };
  const atom = () => {
    if (is('(')) {
      take('(');
      const inner = expression();
      take(')');
      return inner;
    }
    const { kind, value } = all[at++];
    return kind === 'number' ? { kind, value: Number(value) } : { kind, value };
  };
  const expression = level(['<'], level(['+', '-'], level(['*', '/'], atom)));
  const statement = () => {
    if (is('while')) {
      take('while');
      const condition = expression();
      take('{');
      const body = [];
      while (!is('}')) body.push(statement());
      take('}');
      return { kind: 'while', condition, body };
    }
    const { value } = atom();
    take('=');
    const result = expression();
    take(';');
    return { kind: '=', value, result };
  };
  const program = [];
  while (at < all.length) program.push(statement());
  return program;
}

const compile = {
  number:
    ({ value }) =>
    () =>
      value,
  name:
    ({ value }) =>
    (scope) =>
      scope.get(value) ?? 0,
  '=': ({ value, result }) => {
    const compute = of(result);
    return (scope) => scope.set(value, compute(scope));
  },
  while: ({ condition, body }) => {
    const [test, statements] = [of(condition), body.map(of)];
    return (scope) => {
      while (test(scope)) for (const run of statements) run(scope);
    };
  },
};
for (const [sign, operation] of Object.entries({
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '<': (a, b) => a < b,
}))
  compile[sign] = ({ left, right }) => {
    const [a, b] = [of(left), of(right)];
    return (scope) => operation(a(scope), b(scope));
  };

function of(node) {
  return compile[node.kind](node);
}

const sums = [];
for (let version = 0; version < 10; ++version) {
  const text = `
    total = 0; i = ${version};
    while i < ${version + 60} {
      square = i * i; rest = (square - i / 2) * (1 + ${version}) - (i + 3) * 2;
      total = total + rest; i = i + 1;
    }`;
  const program = parse(text + text.replaceAll('total', 'other'));
  const scope = new Map();
  for (const run of program.map(of)) run(scope);
  sums.push(scope.get('total') + scope.get('other'));
}
print(
  sums.slice(0, 5).join(' '),
  sums.reduce((a, b) => a + b),
);
try {
  parse('a = (1 + ;');
} catch (error) {
  print(error.name, error.message);
}
