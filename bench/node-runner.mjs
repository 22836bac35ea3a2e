// Runs one job in this process and prints what it measured as JSON.
// Usage: node [V8 FLAGS] bench/node-runner.mjs MODULE JOB
import { pathToFileURL } from 'node:url';
import { runJob } from './runner.mjs';

const [file, job] = process.argv.slice(2);
// Node 24 does not wait for a module that is being compiled if there is nothing else to wait for.
setInterval(() => {}, 1000);
const { default: factory } = await import(pathToFileURL(file).href);
console.log(JSON.stringify(await runJob(factory, JSON.parse(job))));
// Threads of a run that has failed wait for ever.
process.exit();
