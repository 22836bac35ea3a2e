// The theorems about the C sources, proved by CBMC, which is brought where there is none.
// Usage: npx mocha test/prove/prove.test.js [-g 'part of a name']; npm run prove shows more.
import assert from 'node:assert/strict';
import { findProver, prove, proveBroken } from '../../scripts/prove.mjs';
import { planned } from '../support/emcc.js';
import { THEOREMS } from './theorems.mjs';

/** Faults that are noticed within seconds are looked for here, all of them by npm run prove -- --broken. */
const QUICK = ['sizes.c', 'runs.c', 'minimal.c', 'interface.c', 'mailbox.c'];

describe('proofs', function () {
  let found;
  const prover = () => (found ??= findProver());

  for (const theorem of THEOREMS.filter(({ slow }) => !slow)) {
    const proof = planned(async () => prove(await prover(), theorem));
    it(`${theorem.name}: ${theorem.says}`, async function () {
      const { proved, properties, problems } = await proof();
      assert.ok(proved, problems.join('\n'));
      this.test.title += ` (${properties} properties)`;
    });
    for (const fault of QUICK.includes(theorem.file) ? theorem.broken : []) {
      const attempt = planned(async () => proveBroken(await prover(), theorem, fault));
      it(`${theorem.name}: does not hold of a broken source`, async function () {
        const { noticed, by } = await attempt();
        assert.ok(noticed, `${fault.file}: ${fault.from} → ${fault.to}`);
        this.test.title += `: fails: ${by}`;
      });
    }
  }
});
