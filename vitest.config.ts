import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (path: string): string => fileURLToPath(new URL(`./src/${path}`, import.meta.url));

export default defineConfig({
  resolve: {
    // The same mapping as `paths` of tsconfig.json: tests import `holdfast/…` and get the sources.
    alias: [
      { find: /^holdfast$/, replacement: source('index.ts') },
      { find: /^holdfast\/(kernel|server|store|mcp|client|testing)$/, replacement: source('$1/index.ts') },
    ],
  },
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts', 'ui/**/*.test.{ts,tsx}'],
    environment: 'node',
    pool: 'forks',
    // Unit tests run on virtual time and take milliseconds; what is end to end names its own bound.
    testTimeout: 15_000,
    hookTimeout: 30_000,
    restoreMocks: true,
    allowOnly: false,
    passWithNoTests: true,
  },
});
