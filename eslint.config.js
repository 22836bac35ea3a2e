import js from '@eslint/js';
import globals from 'globals';

export default [
  { ignores: ['build/', 'dist/', '.cache/'] },
  js.configs.recommended,
  { languageOptions: { globals: { ...globals.nodeBuiltin } } },
  // What a browser knows too, and nothing of Node.
  {
    files: ['js/**'],
    ignores: ['js/cli.js', 'js/progress.js', 'js/commands/**', 'js/report/**'],
    languageOptions: { globals: globals['shared-node-browser'] },
  },
  {
    files: ['report/**', 'site/**/*.js', 'test/{report/page,site/browser}.test.js'],
    languageOptions: { globals: globals.browser },
  },
  { files: ['test/**/*.js'], languageOptions: { globals: globals.mocha } },
];
