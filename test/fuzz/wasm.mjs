// Runs the fuzzer as a module.
// Usage: node test/fuzz/wasm.mjs MODULE CALLS [--never-frees]
//
// Prints `N calls`. A fault is what the module says of it, and exit code 1.
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const [file, calls, neverFrees] = process.argv.slice(2);
const { default: instantiate } = await import(pathToFileURL(file).href);
const module = await WebAssembly.compile(readFileSync(file.replace(/mjs$/, 'wasm')));

const BYTES = 2048; // a sequence
let made = 0;
for (let seed = 1; made < Number(calls); ++seed) {
  const instance = await instantiate({
    instantiateWasm(imports, receive) {
      receive(new WebAssembly.Instance(module, imports), module);
      return {};
    },
  });
  try {
    made += instance._fuzz_sequence(seed, BYTES, neverFrees ? 1 : 0);
  } catch (error) {
    const before = instance._fuzz_calls_made();
    console.error(`sequence ${seed} ended after ${before} calls: ${error.message}`);
    process.exit(1);
  }
}
console.log(`${made} calls`);
