import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { runHoldfast, startService } from '../support/process.ts';
import type { Service } from '../support/process.ts';

// Where the command line keeps sessions, and that they are there the next time.

const BOUND_MS = 60_000;
const SESSIONS = '/apps/default/users/u/sessions';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-stored-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function request(service: Service, path: string, body?: unknown): Promise<unknown> {
  const init = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
  return (await fetch(service.url + path, init)).json();
}

/** One turn by text of a new session. */
async function converse(service: Service, sessionId: string): Promise<void> {
  await request(service, SESSIONS, { sessionId, state: { mood: 'good' } });
  const newMessage = { role: 'user', parts: [{ text: 'Hello' }] };
  await request(service, '/run', { appName: 'default', userId: 'u', sessionId, newMessage });
}

const EVENTS = [
  { author: 'user', content: { role: 'user', parts: [{ text: 'Hello' }] } },
  { author: 'default', content: { role: 'model', parts: [{ text: 'Hello' }] } },
];

function serve(env: Record<string, string>, ...parameters: readonly string[]): Promise<Service> {
  return startService(['api-server', '--port', '0', ...parameters], { env });
}

describe('the sessions of a server that was started again', () => {
  it.each([
    ['in the file it is given', [`--store`, `sqlite:${join(folder, 'given', 's.sqlite')}`], {}],
    ['in a file of its own', [], { HOLDFAST_STORE: '', XDG_STATE_HOME: join(folder, 'state') }],
  ])('are there, %s', { timeout: BOUND_MS }, async (_, parameters, env) => {
    {
      await using service = await serve(env, ...parameters);
      await converse(service, 'a');
      service.process.signal('SIGTERM');
      expect(await service.process.exit()).toEqual({ status: 0, signal: null });
    }
    await using service = await serve(env, ...parameters);
    expect(await request(service, SESSIONS)).toMatchObject([{ id: 'a', state: { mood: 'good' } }]);
    expect(await request(service, `${SESSIONS}/a`)).toMatchObject({ id: 'a', events: EVENTS });
    const { in: place } = service.process.log.find(({ msg }) => msg === 'sessions are kept') ?? {};
    expect(statSync(String(place)).mode & 0o777).toBe(0o600);
    expect(service.process.text).not.toContain('ExperimentalWarning');
  });

  it('are not there when it kept them in memory', { timeout: BOUND_MS }, async () => {
    await using service = await serve({}, '--store', 'memory');
    await converse(service, 'a');
    expect(await request(service, SESSIONS)).toHaveLength(1);
    await using other = await serve({}, '--store', 'memory');
    expect(await request(other, SESSIONS)).toEqual([]);
    expect(other.process.log).toContainEqual(
      expect.objectContaining({ msg: 'sessions are kept', in: 'memory' }),
    );
  });
});

describe('a place where no session can be kept', () => {
  const file = join(folder, 'a-file');
  writeFileSync(file, '');

  it('ends the command in one line, when it was given', { timeout: BOUND_MS }, async () => {
    const store = `sqlite:${join(file, 's.sqlite')}`;
    const { status, lines } = await runHoldfast(['api-server', '--port', '0', '--store', store]);
    expect(status).toBe(1);
    expect(lines.filter((line) => line !== '')).toEqual([
      `holdfast: Sessions cannot be kept in ${file}/s.sqlite: a part of its path is no folder; give another file.`,
    ]);
  });

  it('is told of and not used, when nothing was said', { timeout: BOUND_MS }, async () => {
    await using service = await serve({ HOLDFAST_STORE: '', XDG_STATE_HOME: file });
    await converse(service, 'a');
    expect(await request(service, `${SESSIONS}/a`)).toMatchObject({ events: EVENTS });
    const warnings = service.process.log.filter(({ level }) => level === 40);
    expect(warnings).toEqual([
      expect.objectContaining({
        msg: 'sessions end with this process',
        error: expect.stringContaining(`Sessions cannot be kept in ${file}/holdfast/sessions.sqlite: `),
      }),
    ]);
  });

  it('is a usage error when it is none', { timeout: BOUND_MS }, async () => {
    const { status, text } = await runHoldfast(['web', '--store', 'redis://localhost']);
    expect({ status, text }).toEqual({
      status: 2,
      text: expect.stringContaining('Give memory, or sqlite: and a file.'),
    });
  });
});
