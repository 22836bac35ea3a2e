// The theorems about the C sources, proved by CBMC, which is brought where there is none.
// Usage: npx mocha test/prove/prove.test.js [-g 'part of a name']; npm run prove shows more.
import assert from 'node:assert/strict';
import { findProver, prove, proveBroken } from '../../scripts/prove.mjs';
import { planned, testAll } from '../support/emcc.js';
import { THEOREMS } from './theorems.mjs';

/** What is proved within seconds: these are in the quick suite. Their faults are looked for here, too; all of them by
 * npm run prove -- --broken. */
const QUICK = ['sizes.c', 'minimal.c', 'interface.c', 'mailbox.c'];

/** But this takes as long as five of them, and is proved for wasm64 all the same. */
const LONG = ['smallest block, wasm32'];

describe('proofs', function () {
  let found;
  const prover = () => (found ??= findProver());

  const isQuick = ({ file, name }) => QUICK.includes(file) && !LONG.includes(name);
  const theorems = THEOREMS.filter((theorem) => !theorem.slow && (testAll || isQuick(theorem)));
  for (const theorem of theorems) {
    const proof = planned(async () => prove(await prover(), theorem));
    it(`${theorem.name}: ${theorem.says}`, async function () {
      const { proved, properties, problems } = await proof();
      assert.ok(proved, problems.join('\n'));
      this.test.title += ` (${properties} properties)`;
    });
    const faults = QUICK.includes(theorem.file) ? (theorem.broken ?? []) : [];
    for (const fault of testAll ? faults : faults.slice(0, 1)) {
      const attempt = planned(async () => proveBroken(await prover(), theorem, fault));
      it(`${theorem.name}: does not hold of a broken source`, async function () {
        const { noticed, by } = await attempt();
        assert.ok(noticed, `${fault.file}: ${fault.from} → ${fault.to}`);
        this.test.title += `: fails: ${by}`;
      });
    }
  }
});
