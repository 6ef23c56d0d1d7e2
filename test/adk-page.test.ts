import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { MAX_SPANS_PER_SESSION, MAX_TRACED_SESSIONS } from '../src/server/adk/session-traces.ts';
import { MAX_SHOWN_CHARACTERS } from '../src/server/adk/turn-trace.ts';
import {
  DEFAULT_MAX_ARTIFACTS,
  DEFAULT_MAX_ARTIFACT_BYTES,
  DEFAULT_MAX_ARTIFACT_MEMORY_BYTES,
  DEFAULT_MAX_ARTIFACT_VERSIONS,
} from '../src/store/index.ts';
import { CHECKOUT } from './support/checkout.ts';
import { startServer } from './support/live-server.ts';

const PAGE = readFileSync(join(CHECKOUT, 'docs/adk.md'), 'utf8').replaceAll(/\s+/g, ' ');

/** What the page says is there, with what the answer is where nothing but the session is. */
const ROUTES = [
  ['GET', '/health', 200],
  ['GET', '/version', 200],
  ['GET', '/list-apps?detailed=true', 200],
  ['GET', '/apps/demo/app-info', 200],
  ['GET', '/apps/demo/users/u/sessions', 200],
  ['POST', '/apps/demo/users/u/sessions', 200],
  ['GET', '/apps/demo/users/u/sessions/s1', 200],
  ['POST', '/apps/demo/users/u/sessions/s2', 200],
  ['PATCH', '/apps/demo/users/u/sessions/s1', 200],
  ['DELETE', '/apps/demo/users/u/sessions/s2', 200],
  ['GET', '/apps/demo/users/u/sessions/s1/artifacts', 200],
  ['POST', '/apps/demo/users/u/sessions/s1/artifacts', 200],
  ['GET', '/apps/demo/users/u/sessions/s1/artifacts/a', 200],
  ['GET', '/apps/demo/users/u/sessions/s1/artifacts/a/versions', 200],
  ['GET', '/apps/demo/users/u/sessions/s1/artifacts/a/versions/latest', 200],
  ['GET', '/apps/demo/users/u/sessions/s1/artifacts/a/versions/0/metadata', 200],
  ['GET', '/apps/demo/users/u/sessions/s1/artifacts/a/versions/metadata', 200],
  ['DELETE', '/apps/demo/users/u/sessions/s1/artifacts/a', 200],
  ['PATCH', '/apps/demo/users/u/memory', 501],
  ['GET', '/config/telemetry', 200],
  ['POST', '/config/telemetry', 200],
  ['GET', '/dev/apps/demo/build_graph', 200],
  ['GET', '/dev/apps/demo/build_graph_image?dark_mode=true', 200],
  ['GET', '/dev/apps/demo/debug/trace/session/s1', 200],
  ['GET', '/debug/trace/session/s1', 200],
  ['GET', '/dev/apps/demo/eval_sets', 404],
  ['GET', '/dev/apps/demo/eval-sets', 404],
  ['GET', '/dev/apps/demo/eval_results', 404],
  ['GET', '/dev/apps/demo/metrics-info', 404],
  ['GET', '/dev/apps/demo/tests', 404],
  ['GET', '/dev/apps/demo/builder', 404],
] as const;

describe('docs/adk.md', () => {
  it('lists routes that are there, and says of the others how they are answered', async () => {
    await using test = await startServer();
    await test.createSession();
    for (const [method, path, status] of ROUTES) {
      const body = { stateDelta: { a: 1 }, filename: 'a', artifact: { text: 'a' } };
      const init = method === 'GET' || method === 'DELETE' ? {} : { body: JSON.stringify(body) };
      const response = await fetch(test.url + path, { method, ...init });
      expect([method, path, response.status]).toEqual([method, path, status]);
      const [name = ''] = path.split('?')[0]?.split('/').slice(-1) ?? [];
      if (!/^(s1|s2|a|0|u)$/.test(name)) expect(PAGE).toContain(name);
    }
  });

  it('names the bounds that are in force', () => {
    const thousands = (count: number): string => count.toLocaleString('en').replace(',', ' ');
    const mebibytes = (bytes: number): string => `${bytes / 1024 ** 2} MiB`;
    for (const words of [
      `One artifact has up to ${mebibytes(DEFAULT_MAX_ARTIFACT_BYTES)}`,
      `a session up to ${thousands(DEFAULT_MAX_ARTIFACTS)} of them`,
      `one up to ${thousands(DEFAULT_MAX_ARTIFACT_VERSIONS)} versions`,
      `all in memory together up to ${mebibytes(DEFAULT_MAX_ARTIFACT_MEMORY_BYTES)}`,
      `the last ${MAX_SPANS_PER_SESSION} spans of each of the last ${MAX_TRACED_SESSIONS} sessions`,
      `no more than ${thousands(MAX_SHOWN_CHARACTERS)} characters`,
    ]) {
      expect(PAGE).toContain(words);
    }
  });
});
