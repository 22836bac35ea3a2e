// Builds the page that `npx wasmalloc report` fills with data: one file, with all that it needs.
// Usage: writeFileSync('report.html', await buildReportPage())
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { build, transform } from 'esbuild';
import { PROJECT } from './emscripten.mjs';

const SOURCES = path.join(PROJECT, 'report');

/** All files that the page is made of, and this one. */
export function reportSources() {
  const folders = [SOURCES, path.join(PROJECT, 'js', 'report')];
  const files = folders.flatMap((folder) =>
    readdirSync(folder).map((file) => path.join(folder, file)),
  );
  return [...files, import.meta.filename];
}

/** The folder of the package that a file of the bundle comes from. */
function packageFolder(input) {
  return /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1];
}

/** Names and licences of the packages that are in the bundle. */
function licences(inputs) {
  const folders = [...new Set(inputs.map(packageFolder).filter((folder) => folder))].sort();
  return folders
    .map((folder) => {
      const { name, version } = JSON.parse(
        readFileSync(path.join(PROJECT, folder, 'package.json'), 'utf8'),
      );
      const text = readFileSync(path.join(PROJECT, folder, 'LICENSE'), 'utf8').trim();
      return `${name} ${version}\n\n${text}`;
    })
    .join(`\n\n${'-'.repeat(40)}\n\n`);
}

/** @returns {Promise<string>} HTML, with a place for the data */
export async function buildReportPage() {
  const { outputFiles, metafile } = await build({
    entryPoints: [path.join(SOURCES, 'main.js')],
    absWorkingDir: PROJECT,
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    target: 'es2022',
    format: 'iife',
    legalComments: 'none',
    logLevel: 'warning',
  });
  const css = readFileSync(path.join(SOURCES, 'style.css'), 'utf8');
  const style = (await transform(css, { loader: 'css', minify: true })).code.trim();
  const notices = licences(Object.keys(metafile.inputs)).replaceAll('*/', '* /');
  const script = `/*\nThis page contains:\n\n${notices}\n*/\n${outputFiles[0].text.trim()}`;
  return readFileSync(path.join(SOURCES, 'index.html'), 'utf8')
    .replace('/* the style */', () => style)
    .replace('/* the script */', () => script.replaceAll('</script', '<\\/script'));
}
