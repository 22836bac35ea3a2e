// Records as JSON, changed and asked in the ways that scripts of servers do, some of it later, by
// promises.
/* global print */
'use strict';

const WORDS = ['red', 'green', 'blue', 'round', 'square', 'heavy', 'light', 'new', 'old'];

const makeRecords = (count) =>
  Array.from({ length: count }, (_, id) => ({
    id,
    title: `${WORDS[id % 9]} ${WORDS[(id * 7) % 9]} thing number ${id}`,
    price: ((id * 7919) % 10000) / 100,
    tags: WORDS.filter((_, i) => (id >> (i % 5)) & 1),
    maker: { name: `maker ${id % 17}`, since: new Date(Date.UTC(1990 + (id % 30), id % 12)) },
  }));

const groupBy = (list, key) => {
  const groups = new Map();
  for (const each of list) {
    const group = key(each);
    groups.set(group, [...(groups.get(group) ?? []), each]);
  }
  return groups;
};

async function query(text) {
  const records = JSON.parse(text);
  await null;
  const byMaker = groupBy(records, ({ maker }) => maker.name);
  const totals = [...byMaker].map(([name, list]) => ({
    name,
    total: list.reduce((sum, { price }) => sum + price, 0),
    words: new Set(list.flatMap(({ title }) => title.split(' '))).size,
  }));
  await null;
  return totals.toSorted((a, b) => b.total - a.total).slice(0, 3);
}

async function main() {
  let records = makeRecords(240);
  for (let round = 0; round < 4; ++round) {
    const text = JSON.stringify(records, null, round % 2);
    const best = await query(text);
    print(
      text.length,
      best.map(({ name, total, words }) => `${name} ${total.toFixed(2)} ${words}`),
    );
    records = records
      .filter(({ tags }) => !tags.includes(WORDS[round]) || tags.length > 2)
      .concat(makeRecords(60))
      .map((record) => ({ ...record, title: record.title.replace(/(\w+) (\w+)/, '$2 $1') }));
  }
  const big = records.reduce((sum, { id }) => sum * 3n + BigInt(id), 1n);
  print(records.length, String(big).length, String(big % 1000007n));
}

main();
