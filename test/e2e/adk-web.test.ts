import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHECKOUT } from '../support/checkout.ts';
import { launchBrowser, openPage } from '../support/page-browser.ts';
import { startService } from '../support/process.ts';

// The page of the ADK as it is published, in a real browser, against the command line as it is published.

const STEP_TIMEOUT_MS = 30_000;
const TEST_TIMEOUT_MS = 120_000;
const SCREENSHOTS = join(CHECKOUT, 'build/screenshots');

/** The compiled adk-web. Its files are used as they are, and are no part of this package. */
const require = createRequire(import.meta.url);
const ADK_WEB = join(dirname(require.resolve('@google/adk-devtools')), '../browser');

/** Echoes like the model without a key, and calls a tool when it is asked for a note. */
const AGENT = `
import { Agent, echo, tool } from 'holdfast';

const keep = tool({
  name: 'keep_note',
  description: 'Keeps a note.',
  execute: async ({ words }, { artifacts, state }) => {
    state.notes = Number(state.notes ?? 0) + 1;
    const version = await artifacts.save('note.txt', { text: String(words) });
    return { kept: 'note.txt', version };
  },
});

const parrot = echo();
const attentive = {
  id: 'attentive-echo',
  capabilities: parrot.capabilities,
  async connect(setup, sink, scope) {
    const connection = await parrot.connect(setup, sink, scope);
    const send = connection.send.bind(connection);
    connection.send = (input) => {
      const [{ text = '' } = {}] = input.type === 'content' ? input.content.parts : [];
      if (input.type === 'toolResponse') {
        sink.output({ type: 'text', text: 'The note is kept.' });
        sink.output({ type: 'turnComplete' });
        return true;
      }
      if (!text.startsWith('Note:')) return send(input);
      sink.output({ type: 'toolCall', calls: [{ id: crypto.randomUUID(), name: 'keep_note', args: { words: text.slice(6) } }] });
      return true;
    };
    return connection;
  },
};

export const rootAgent = new Agent({ name: 'parrot', model: attentive, tools: [keep] });
`;

/** What the page plays: runs in it before its own code. */
const LISTEN = `
  const played = { sources: 0, seconds: 0, loudest: 0, stopped: 0 };
  globalThis.played = played;
  globalThis.closes = [];
  globalThis.WebSocket = class extends WebSocket {
    constructor(...rest) {
      super(...rest);
      this.addEventListener('close', ({ code, reason }) => closes.push({ code, reason }));
    }
  };
  const { start, stop } = AudioBufferSourceNode.prototype;
  AudioBufferSourceNode.prototype.start = function (...rest) {
    played.sources += 1;
    played.seconds += this.buffer.duration;
    for (const sample of this.buffer.getChannelData(0)) played.loudest = Math.max(played.loudest, Math.abs(sample));
    return start.apply(this, rest);
  };
  AudioBufferSourceNode.prototype.stop = function (...rest) {
    played.stopped += 1;
    return stop.apply(this, rest);
  };
`;

interface Played {
  readonly sources: number;
  readonly seconds: number;
  readonly loudest: number;
  readonly stopped: number;
}

/** What adk-web complains of by itself, whoever serves it: what it does not find and can do without. */
const ITS_OWN = [
  // A style sheet that its package lacks, and fonts of its maker, which are not asked for here.
  /prism-dark\.css$/,
  /^https:\/\/fonts\.gstatic\.com\//,
  // Evaluations and the builder are the ADK's own. Its server in JavaScript has neither.
  /\/dev\/apps\/demo\/(eval_sets|eval_results|builder\?ts=\d+)$/,
];

let folder: string;
let browser: Browser;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-adk-web-'));
  mkdirSync(join(folder, 'agents', 'demo'), { recursive: true });
  writeFileSync(join(folder, 'agents', 'demo', 'agent.ts'), AGENT);
  browser = await launchBrowser();
}, TEST_TIMEOUT_MS);

afterAll(async () => {
  await browser.close();
  rmSync(folder, { recursive: true, force: true });
});

/** What goes over the page's socket, and what it complains of. */
class Watched {
  readonly page: Page;
  readonly up: string[] = [];
  readonly down: Record<string, unknown>[] = [];
  readonly complaints: string[] = [];

  constructor(page: Page) {
    this.page = page;
    page.on('websocket', (socket) => {
      socket.on('framesent', ({ payload }) => this.up.push(String(payload)));
      socket.on('framereceived', ({ payload }) => {
        this.down.push(JSON.parse(String(payload)) as Record<string, unknown>);
      });
    });
    page.on('pageerror', (error) => this.complaints.push(`uncaught: ${error.message}`));
    page.on('console', (message) => {
      const { url } = message.location();
      if (message.type() === 'error' && !ITS_OWN.some((own) => own.test(url))) {
        this.complaints.push(`${message.text()} (${url})`);
      }
    });
  }

  /** Resolves when the server has told it. */
  async told(what: (event: Record<string, unknown>) => boolean): Promise<void> {
    await expect.poll(() => this.down.some(what), { timeout: STEP_TIMEOUT_MS }).toBe(true);
  }

  async write(text: string): Promise<void> {
    await this.page.getByRole('textbox').first().fill(text);
    await this.page.keyboard.press('Enter');
  }

  async sees(text: string): Promise<void> {
    await this.page.getByText(text).first().waitFor({ timeout: STEP_TIMEOUT_MS });
  }

  played(): Promise<Played> {
    return this.page.evaluate(() => (globalThis as unknown as { played: Played }).played);
  }

  /** How its sockets were closed. */
  closes(): Promise<readonly { code: number; reason: string }[]> {
    return this.page.evaluate(
      () => (globalThis as unknown as { closes: { code: number; reason: string }[] }).closes,
    );
  }

  photograph(name: string): Promise<unknown> {
    return this.page.screenshot({ path: join(SCREENSHOTS, `adk-web-${name}.png`), animations: 'disabled' });
  }

  /** Presses the button that begins a call, or ends it. */
  call(icon: 'call' | 'call_end'): Promise<void> {
    return this.page.locator(`button:has(mat-icon:text-is("${icon}"))`).first().click();
  }
}

async function open(url: string, query = ''): Promise<Watched> {
  const { page } = await openPage(browser, 'about:blank', LISTEN);
  const watched = new Watched(page);
  await page.goto(`${url}/dev-ui/?app=demo${query}`);
  await watched.sees('demo');
  return watched;
}

const isAudio = ({ content }: Record<string, unknown>): boolean =>
  JSON.stringify(content ?? '').includes('"mimeType":"audio/pcm;rate=24000"');

describe('adk-web', () => {
  it(
    'holds a conversation in writing and a live call, and says why it ends',
    async () => {
      const parameters = [
        ...['api-server', join(folder, 'agents'), '--port', '0', '--page', ADK_WEB],
        ...['--store', `sqlite:${join(folder, 'sessions.sqlite')}`, '--drain-timeout', '1'],
      ];
      await using server = await startService(parameters);
      const web = await open(server.url);

      // In writing, before there is a call: an answer, a tool, what it has kept and what it has changed.
      await web.write('Hello parrot');
      await expect
        .poll(() => web.page.getByText('Hello parrot').count(), { timeout: STEP_TIMEOUT_MS })
        .toBeGreaterThan(1);
      await web.write('Note: buy bread');
      await web.sees('The note is kept.');
      await web.sees('Artifact: note.txt');
      await web.sees('State: notes');
      await web.page.getByRole('tab', { name: 'Artifacts' }).click();
      await web.sees('note.txt');
      await web.photograph('written');

      // A call, with a recording as the microphone.
      await web.call('call');
      await web.told(isAudio);
      await expect
        .poll(async () => (await web.played()).seconds, { timeout: STEP_TIMEOUT_MS })
        .toBeGreaterThan(1);
      expect((await web.played()).loudest).toBeGreaterThan(0.05);
      expect(web.up[0]).toMatch(/^\{"blob":\{"mime_type":"audio\/pcm","data":"/);
      // The speaker goes on while the parrot speaks: what it says is taken back, in the page too.
      await web.told(({ interrupted }) => interrupted === true);
      await expect
        .poll(async () => (await web.played()).stopped, { timeout: STEP_TIMEOUT_MS })
        .toBeGreaterThan(0);
      await web.sees('Interrupted');
      await web.sees('s of speech)');
      await web.photograph('call');

      // Typed in the call: said in the call, answered once, in it too.
      await web.write('Typed in the call');
      const answers = () =>
        web.down.filter(
          (event) =>
            JSON.stringify(event['content'] ?? '').includes('Typed in the call') &&
            event['partial'] === false,
        );
      await expect.poll(() => answers().length, { timeout: STEP_TIMEOUT_MS }).toBe(1);
      await web.write('Note: call back');
      await web.told((event) => JSON.stringify(event['actions']).includes('"note.txt":1'));
      await expect
        .poll(() => web.page.getByText('The note is kept.').count(), { timeout: STEP_TIMEOUT_MS })
        .toBe(2);
      expect(await web.page.getByText('Typed in the call', { exact: true }).count()).toBe(2);
      expect(web.complaints).toEqual([]);

      // The server is drained under it: the page says why the call has ended.
      server.process.signal('SIGTERM');
      await web.sees('Please check server log for full details: server draining');
      await web.photograph('drained');
      expect(await server.process.exit()).toEqual({ status: 1, signal: null });
      expect(await web.closes()).toEqual([{ code: 1012, reason: 'server draining' }]);
      const session = new URL(web.page.url()).searchParams.get('session');
      await web.page.context().close();

      // Another server finds the conversation, what was kept, and what was changed.
      await using next = await startService(parameters);
      const later = await open(next.url, `&session=${session}`);
      await later.sees('The note is kept.');
      await later.page.getByRole('tab', { name: 'Artifacts' }).click();
      await later.sees('call back');
      await later.page.getByRole('tab', { name: 'State' }).click();
      await later.sees('notes');
      await later.page.getByText('Typed in the call', { exact: true }).first().click();
      await later.photograph('later');
      expect(later.complaints).toEqual([]);
      await later.page.context().close();
    },
    TEST_TIMEOUT_MS,
  );
});
