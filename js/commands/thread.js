// What runs in the threads of threads.js: does one job at a time, and tells its result.
// Usage: new Worker(new URL('./thread.js', import.meta.url), { workerData: { pulse } })
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { parentPort, workerData } from 'node:worker_threads';
import { collectGarbage, runOnce } from '../replay.js';
import { drawHeap } from '../report/map-svg.js';
import { mapHeap } from '../report/maps.js';

const JOBS = { run: runOnce, draw: drawHeap, map: mapHeap };

setFlagsFromString('--expose-gc');
globalThis.gc ??= runInNewContext('gc');

const { pulse } = workerData;
const onProgress = (progress) => parentPort.postMessage({ progress });

async function answer({ job, name, program, options }) {
  try {
    return { result: await JOBS[job](name, program, { ...options, pulse, onProgress }) };
  } catch (error) {
    return { error: { name: error.name, message: error.message, stack: error.stack } };
  }
}

parentPort.on('message', async (message) => {
  const reply = await answer(message);
  // All the memory of the replay, before another thread begins: not while this still holds it.
  await setImmediate();
  collectGarbage();
  parentPort.postMessage(reply);
});
