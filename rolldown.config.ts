import { defineConfig } from 'rolldown'

/** Each with all that it needs in one file. The last two are the threads, which the first one starts. */
const PROGRAMS = {
  'buy-links': 'src/buy-links.ts',
  'sqlite-thread': 'src/store/sqlite-thread.ts',
  'catalog-worker': 'src/catalog/catalog-worker.ts',
}

// What the image runs: `npm run build` writes it into dist/.
export default defineConfig(
  Object.entries(PROGRAMS).map(([name, input]) => ({
    input,
    platform: 'node',
    // Its main file loads its parts in a way that no bundler sees.
    resolve: { alias: { 'jsonc-parser': 'jsonc-parser/lib/esm/main.js' } },
    // The commands are called by the program, and not because they were the first file.
    transform: { define: { 'import.meta.main': 'false' } },
    output: { file: `dist/${name}.js`, format: 'esm', codeSplitting: false, minify: true, sourcemap: true },
  })),
)
