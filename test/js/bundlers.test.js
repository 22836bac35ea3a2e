// Bundlers find the modules, without a setting: pages of programs that use the package as it is installed.
import { BUNDLERS, serveWithVite } from '../bundlers/index.js';
import { describeBundles } from './bundles.js';

describeBundles((pages) => {
  for (const bundler of BUNDLERS) {
    it(`${bundler.name}, for production`, async () => {
      await pages.check(await pages.build(bundler, { production: true }));
    });
  }

  it('vite, while developing', async () => {
    const server = await serveWithVite(pages.folder);
    try {
      await pages.checkAt(server.address);
    } finally {
      await server.close();
    }
  });
});
