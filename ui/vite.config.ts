import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';
import type { Plugin } from 'vite';
import { MICROPHONE_WORKLET } from '../src/client/microphone.ts';
import { PLAYBACK_WORKLET } from '../src/client/playback.ts';

const WORKLETS: Readonly<Record<string, string>> = {
  'microphone-worklet.js': MICROPHONE_WORKLET,
  'playback-worklet.js': PLAYBACK_WORKLET,
};

/** The page forbids `blob:` scripts, so what runs in the audio thread is served as files beside it. */
function serveWorklets(): Plugin {
  return {
    name: 'holdfast-worklets',
    generateBundle() {
      for (const [fileName, source] of Object.entries(WORKLETS)) {
        this.emitFile({ type: 'asset', fileName, source });
      }
    },
    configureServer({ middlewares }) {
      middlewares.use((request, response, next) => {
        const source = WORKLETS[request.url?.slice(1) ?? ''];
        if (source === undefined) next();
        else response.setHeader('content-type', 'text/javascript').end(source);
      });
    },
  };
}

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  // Addresses relative to the page, so that it works under any path it is served at.
  base: './',
  resolve: {
    alias: { 'holdfast/client': fileURLToPath(new URL('../src/client/index.ts', import.meta.url)) },
  },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  plugins: [serveWorklets()],
  build: {
    target: 'es2022',
    // The content security policy takes files of this server only, no `data:` addresses.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    outDir: '../dist/ui',
    emptyOutDir: true,
  },
});
