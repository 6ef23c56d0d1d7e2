import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { runHoldfast, startService } from '../support/process.ts';

// Agents as somebody writes them: files in a folder with no project, no package and no node_modules around.

const BOUND_MS = 60_000;

const folder = mkdtempSync(join(tmpdir(), 'holdfast-agents-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Writes `<folder>/<name>/<app>/agent.ts` for each app, and gives the agents folder. */
function agents(name: string, files: Readonly<Record<string, string>>): string {
  for (const [app, source] of Object.entries(files)) {
    mkdirSync(join(folder, name, app), { recursive: true });
    writeFileSync(join(folder, name, app, 'agent.ts'), source);
  }
  return join(folder, name);
}

const BAKERY = `
import { Agent, tool } from 'holdfast';
import { z } from 'zod';

const shelf: Record<string, number> = { rye: 3 };

export const rootAgent = new Agent({
  name: 'clerk',
  tools: [
    tool({
      name: 'stock',
      description: 'How many of an article are left.',
      parameters: z.object({ article: z.string() }),
      execute: ({ article }) => ({ article, left: shelf[article] ?? 0 }),
    }),
  ],
});
`;

const ECHO = `
import { Agent, echo } from 'holdfast';
export const rootAgent = new Agent({ name: 'parrot', model: echo() });
`;

const BROKEN = `
import { Agent } from 'holdfast';
enum Mood { Good, Bad }
export const rootAgent = new Agent({ name: String(Mood.Good) });
`;

describe('a folder of agents outside of any project', () => {
  it('runs its tools, with our holdfast and our zod', { timeout: BOUND_MS }, async () => {
    const dir = agents('bakery', { bakery: BAKERY });
    await using provider = await startService(['emulate', 'gemini', '--port', '0']);
    await using server = await startService(
      ['api-server', dir, '--port', '0', '--model', 'gemini:gemini-2.5-flash'],
      { cwd: folder, env: { GOOGLE_GEMINI_BASE_URL: provider.url, GEMINI_API_KEY: 'anything' } },
    );
    const asking = await runHoldfast(['call', server.url, '--text', 'call stock {"article":"rye"}']);
    expect({ status: asking.status, said: asking.text }).toMatchObject({ status: 0 });
    // What the model was told stands in the stored session.
    const path = `${server.url}/apps/bakery/users/user/sessions`;
    const [stored] = (await (await fetch(path)).json()) as { id: string }[];
    const session: unknown = await (await fetch(`${path}/${stored?.id}`)).json();
    expect(JSON.stringify(session)).toContain('{"article":"rye","left":3}');
  });

  it(
    'serves the good ones beside one that cannot be loaded, and says why not',
    { timeout: BOUND_MS },
    async () => {
      const dir = agents('mixed', { parrot: ECHO, broken: BROKEN });
      await using server = await startService(['api-server', dir, '--port', '0']);
      const [said] = server.process.log.filter(({ msg }) => msg === 'agent not loaded');
      expect(said).toMatchObject({ app: 'broken' });
      expect(String(said?.['error'])).toMatch(/broken\/agent\.ts.*enum.*as const/s);

      expect(await runHoldfast(['call', server.url, '--app', 'parrot', '--text', 'Hello'])).toMatchObject({
        status: 0,
      });
      const asked = await runHoldfast(['call', server.url, '--app', 'broken', '--text', 'Hello']);
      expect(asked.status).toBe(1);
      expect(asked.text).toMatch(/broken\/agent\.ts/);
    },
  );

  it.each([
    ['is not there', join(folder, 'nowhere'), /There is no folder '.*nowhere'/],
    ['holds no agent', folder, /There is no agent in/],
  ])('that %s ends the command in one line', { timeout: BOUND_MS }, async (_what, dir, says) => {
    const { status, lines } = await runHoldfast(['api-server', dir, '--port', '0']);
    expect(status).not.toBe(0);
    expect(lines.filter((line) => line !== '')).toEqual([expect.stringMatching(says)]);
  });
});
