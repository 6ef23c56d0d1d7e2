import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page, WebSocketRoute } from 'playwright-core';
import { build } from 'vite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Agent } from '../src/session/index.ts';
import type { LiveEventBody } from '../src/protocol/index.ts';
import { echo } from '../src/models/echo/index.ts';
import { bearerTokens, createServer } from '../src/server/index.ts';
import type { HoldfastServer } from '../src/server/index.ts';
import { CHECKOUT } from './support/checkout.ts';
import { FaultProxy } from '../src/testing/index.ts';
import { CONNECTION_EVENTS } from './support/connection-events.ts';
import { launchBrowser, openPage } from './support/page-browser.ts';

/** A busy machine takes seconds to start a browser and to speak a few sentences; none of these waits is for luck. */
const STEP_TIMEOUT_MS = 20_000;
const TEST_TIMEOUT_MS = 60_000;

const SCREENSHOTS = join(CHECKOUT, 'build/screenshots');

const SPOKEN_BY_USER = '.said-user[data-form=spoken]';
const SPOKEN_BY_AGENT = '.said-agent[data-form=spoken]';

let pageDir: string;
let browser: Browser;
let server: HoldfastServer;
let url: string;

/** The page as its sources are now, not as the last build left it. */
async function buildPage(): Promise<string> {
  const outDir = await mkdtemp(join(tmpdir(), 'holdfast-page-'));
  await build({ root: join(CHECKOUT, 'ui'), logLevel: 'silent', build: { outDir, emptyOutDir: true } });
  return outDir;
}

function serve(...names: string[]): HoldfastServer {
  const agents = Object.fromEntries(names.map((name) => [name, new Agent({ name })]));
  return createServer({ agents, model: echo(), pageDir });
}

beforeAll(async () => {
  [pageDir, browser] = await Promise.all([buildPage(), launchBrowser()]);
}, TEST_TIMEOUT_MS);

afterAll(async () => {
  await browser.close();
  await rm(pageDir, { recursive: true, force: true });
});

beforeEach(async () => {
  server = serve('default');
  url = (await server.listen()).url;
});

afterEach(async () => {
  await Promise.all(browser.contexts().map((context) => context.close()));
  await server.abort();
});

const press = (page: Page, name: string): Promise<void> => page.getByRole('button', { name }).click();

async function reach(page: Page, call: 'idle' | 'live' | 'ended'): Promise<void> {
  await page.waitForSelector(`[data-call=${call}]`, { timeout: STEP_TIMEOUT_MS });
}

async function write(page: Page, text: string): Promise<void> {
  await page.getByLabel('Write to the agent').fill(text);
  await press(page, 'Send');
}

const see = (page: Page, selector: string): Promise<unknown> =>
  page.waitForSelector(selector, { timeout: STEP_TIMEOUT_MS });

const statusOf = (page: Page): Promise<string> => page.getByRole('status').innerText();

async function receivedSeconds(page: Page): Promise<number> {
  return Number.parseFloat(await page.locator('[data-fact=received]').innerText());
}

/** As the page looks to those who use it: on a desk and on a phone, by day and by night. */
async function photograph(page: Page, name: string): Promise<void> {
  for (const [device, width, height] of [
    ['desktop', 1280, 800],
    ['phone', 390, 844],
  ] as const) {
    await page.setViewportSize({ width, height });
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      await page.screenshot({
        path: join(SCREENSHOTS, `${name}-${device}-${colorScheme}.png`),
        animations: 'disabled',
      });
    }
  }
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.emulateMedia({ colorScheme: 'light' });
}

/** Lets a test say to the page, over its socket and between what the server says, what a server would. */
async function tellingSocket(page: Page): Promise<(event: LiveEventBody) => void> {
  let socket: WebSocketRoute | undefined;
  await page.routeWebSocket(/run_live/, (route) => {
    route.connectToServer();
    socket = route;
  });
  return (body) => {
    const event = { ...body, seq: 1, atMs: 0, author: 'default', turn: 1 };
    socket?.send(JSON.stringify({ type: 'event', event }));
  };
}

async function nobodyIsOnCall(): Promise<void> {
  await expect.poll(() => server.liveSessions, { timeout: STEP_TIMEOUT_MS }).toBe(0);
}

describe('the page', () => {
  it(
    'holds a spoken call: what is said comes back as sound and words, in writing too, and again in a second call',
    async () => {
      const { page, complaints, held } = await openPage(browser, url);
      await photograph(page, 'idle');
      expect(await page.locator('.app-name').innerText()).toBe('default');

      await press(page, 'Speak');
      await reach(page, 'live');
      expect(await statusOf(page)).toBe('Live with default');
      expect(server.liveSessions).toBe(1);
      await see(page, SPOKEN_BY_USER);
      await see(page, SPOKEN_BY_AGENT);
      await expect.poll(() => receivedSeconds(page), { timeout: STEP_TIMEOUT_MS }).toBeGreaterThan(2);
      expect(await page.locator('[data-fact=latency]').innerText()).toMatch(/^\d+ ms$/);
      await page.getByText('it answers with your own voice').waitFor();
      await page.locator('.events summary').click();
      await photograph(page, 'live');

      await write(page, 'Is anybody there?');
      await see(page, '.said-user:has-text("Is anybody there?")');
      await see(page, '.said-agent[data-form=written]:has-text("Is anybody there?")');

      await press(page, 'End call');
      await reach(page, 'ended');
      expect(await statusOf(page)).toBe('You ended the call.');
      expect((await held()).inUse).toEqual([]);
      await nobodyIsOnCall();
      await photograph(page, 'ended');
      expect(await page.locator('.event-problem').allInnerTexts()).toEqual([]);

      await press(page, 'Call again');
      await reach(page, 'live');
      await see(page, SPOKEN_BY_AGENT);
      await press(page, 'End call');
      await reach(page, 'ended');
      expect(await held()).toEqual({ microphonesOpened: 2, inUse: [] });
      await nobodyIsOnCall();
      expect(complaints).toEqual([]);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'makes a call in writing without asking for the microphone, and takes it in when it is wanted',
    async () => {
      const { page, complaints, held } = await openPage(browser, url);
      await press(page, 'Type instead');
      await reach(page, 'live');
      await page.keyboard.type('No microphone, please.');
      await page.keyboard.press('Enter');
      await see(page, '.said-agent:has-text("No microphone, please.")');
      expect((await held()).microphonesOpened).toBe(0);
      expect(await page.locator('.speaker').innerText()).toBe('The microphone is off');

      await press(page, 'Use the microphone');
      await see(page, SPOKEN_BY_USER);
      await press(page, 'Mute the microphone');
      await expect.poll(() => page.locator('.speaker').innerText()).not.toBe('Listening');
      await expect.poll(async () => (await held()).inUse).toEqual(['audio context']);

      await page.close({ runBeforeUnload: true });
      await nobodyIsOnCall();
      expect(complaints).toEqual([]);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'lets go of everything however often it is called, also while it is connecting',
    async () => {
      const { page, complaints, held } = await openPage(browser, url);
      for (let call = 1; call <= 5; call += 1) {
        await press(page, call === 1 ? 'Speak' : 'Call again');
        if (call % 2 === 0) await reach(page, 'live');
        // Between the two presses an odd call may have become live: that is an end like the other.
        await page.locator('[data-call=connecting] .call-button, [data-call=live] .call-button').click();
        await reach(page, 'ended');
      }
      await expect.poll(async () => (await held()).inUse).toEqual([]);
      await nobodyIsOnCall();
      expect(complaints).toEqual([]);
    },
    TEST_TIMEOUT_MS,
  );

  it.each([
    ['NotAllowedError', 'The microphone was not allowed.'],
    ['NotFoundError', 'No microphone was found.'],
    ['NotReadableError', 'The microphone cannot be opened.'],
  ])(
    'explains %s and makes no call',
    async (name, words) => {
      const refuse = `navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', '${name}'));`;
      const { page, complaints, held } = await openPage(browser, url, refuse);
      await press(page, 'Speak');
      await reach(page, 'ended');
      expect(await statusOf(page)).toContain(words);
      expect((await held()).inUse).toEqual([]);
      expect(server.liveSessions).toBe(0);
      if (name === 'NotAllowedError') await photograph(page, 'refused');
      expect(complaints).toEqual([]);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'says that the server goes, keeps what was said, and calls the next one',
    async () => {
      const { page } = await openPage(browser, url);
      await write(page, 'Stay with me.');
      await see(page, '.said-agent:has-text("Stay with me.")');

      void server.drain();
      await page.getByRole('alert').getByText('The server is going away').waitFor();
      expect(await page.locator('[data-fact=time-left]').innerText()).toMatch(
        /^It ends in (4 min \d+ s|5 min) at the latest\.$/,
      );
      await photograph(page, 'draining');
      await server.close();
      await reach(page, 'ended');
      expect(await statusOf(page)).toBe(
        'The server was shut down, and ended the call. Call again when it is back.',
      );
      expect(await page.getByRole('button', { name: 'Call again' }).isEnabled()).toBe(true);
      await photograph(page, 'cut');
      expect(await page.locator('.said').count()).toBe(2);

      const { port } = new URL(url);
      server = serve('default');
      await server.listen(Number(port));
      await write(page, 'And again.');
      await see(page, '.said-agent:has-text("And again.")');
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'says that the server is gone, and blames nothing else, when it is called again',
    async () => {
      const { page, held } = await openPage(browser, url);
      await write(page, 'Stay with me.');
      await see(page, '.said-agent:has-text("Stay with me.")');
      await server.abort();
      await reach(page, 'ended');
      expect(await statusOf(page)).toBe('The connection was lost. Is the server still running?');

      for (const again of ['Call again', 'Type instead']) {
        await press(page, again);
        await expect.poll(() => statusOf(page)).toMatch(/: is (the|a) server (still )?running/);
        await expect.poll(async () => (await held()).inUse).toEqual([]);
      }
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'R9 page: tells what happens to the connection to the model, calmly, and goes on',
    async () => {
      const { page, complaints } = await openPage(browser, url);
      const tell = await tellingSocket(page);
      const line = (): Promise<string> => page.locator('.speaker').innerText();
      const linked = (tag: string): Promise<unknown> => see(page, `[data-link=${tag}]`);
      await write(page, 'Stay with me.');
      await see(page, '.said-agent:has-text("Stay with me.")');
      await linked('steady');
      const { lost, waiting, connecting, connected, resumed, swapped, exhausted } = CONNECTION_EVENTS;

      tell(lost);
      await linked('lost');
      expect(await statusOf(page)).toBe('Reconnecting to the model');
      tell({ ...waiting, delayMs: 4_000 });
      await linked('waiting');
      expect(await line()).toMatch(/^Attempt 2 in [0-4] s: connection lost \(1011 Internal error\)$/);
      await photograph(page, 'reconnecting');
      await expect.poll(line, { timeout: STEP_TIMEOUT_MS }).toMatch(/in [0-2] s:/);
      tell({ ...connecting, attempt: 2 });
      await linked('redialling');
      tell(connected);
      tell(resumed);
      await linked('back');
      expect(await statusOf(page)).toBe('Live with default');
      expect(await line()).toBe('Resumed after 640 ms: 1.2 s of audio sent again, an answer was cut');
      await photograph(page, 'resumed');

      tell({ type: 'goAway', timeLeftMs: 50_000 });
      await linked('leaving');
      await photograph(page, 'leaving');
      tell(connecting);
      tell(connected);
      tell({ ...swapped, cutTurn: false, replayedMs: 0 });
      await linked('back');
      expect(await line()).toBe("Swapped before the provider's limit, gap 640 ms");

      tell(lost);
      tell(exhausted);
      await linked('givenUp');
      expect(await statusOf(page)).toBe('The model cannot be reached');
      await page.locator('.events summary').click();
      await photograph(page, 'given-up');
      expect(await page.locator('.event-problem .event-detail').allInnerTexts()).toEqual([
        'given up after 10 attempts in 151 s',
      ]);
      expect(complaints).toEqual([]);
    },
    TEST_TIMEOUT_MS,
  );

  it.each([
    ['a phone', 390, 844],
    ['a small phone', 375, 667],
  ])(
    'shows the newest words above what is being written, on %s',
    async (_device, width, height) => {
      const { page } = await openPage(browser, url);
      await page.setViewportSize({ width, height });
      for (let count = 1; count <= 6; count += 1) {
        await write(page, `Number ${count}, with as many words as fill more than one line of a phone`);
        await see(page, `.said-agent:has-text("Number ${count},")`);
      }
      const newest = await page.locator('.said').last().boundingBox();
      const composer = await page.locator('.composer').boundingBox();
      expect(newest!.y + newest!.height).toBeLessThanOrEqual(composer!.y);
      expect(composer!.y + composer!.height).toBeLessThanOrEqual(height);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'C7 keeps its call when the connection to the server is cut, says what was written meanwhile, and hears the answer',
    async () => {
      await using proxy = await FaultProxy.start({ target: url });
      const { page, held } = await openPage(browser, proxy.url);
      await press(page, 'Speak');
      await reach(page, 'live');
      await see(page, SPOKEN_BY_AGENT);
      proxy.stopListening();
      proxy.reset();
      await expect
        .poll(() => statusOf(page), { timeout: STEP_TIMEOUT_MS })
        .toBe('Reconnecting to the server');
      expect(server.liveSessions).toBe(1);
      await write(page, 'Are you still there?');
      await photograph(page, 'reconnecting');
      await proxy.listenAgain();
      await expect.poll(() => statusOf(page), { timeout: STEP_TIMEOUT_MS }).toBe('Live with default');
      await see(page, '.said-agent[data-form=written]:has-text("Are you still there?")');
      await page.locator('.events summary').click();
      await see(page, ':text("connected to the server again")');
      expect(server.liveSessions).toBe(1);
      expect(await page.locator('.event-problem').allInnerTexts()).toEqual([]);
      await press(page, 'End call');
      await reach(page, 'ended');
      expect((await held()).inUse).toEqual([]);
      await nobodyIsOnCall();
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'lets the user choose where there are several apps',
    async () => {
      await server.close();
      server = serve('greeter', 'waiter');
      const { page } = await openPage(browser, (await server.listen()).url);
      await page.getByLabel('App').selectOption('waiter');
      await write(page, 'A table for two.');
      await reach(page, 'live');
      expect(await statusOf(page)).toBe('Live with waiter');
      expect(await page.getByLabel('App').isDisabled()).toBe(true);
    },
    TEST_TIMEOUT_MS,
  );
});

describe('the page of a server that asks who comes', () => {
  const TOKEN = 'a-token-of-the-tests-0123456789';

  it(
    'asks for a token, says when it is not good, and calls with tickets: the token stands in no address',
    async () => {
      await server.abort();
      server = createServer({
        agents: { default: new Agent({ name: 'default' }) },
        model: echo(),
        pageDir,
        auth: bearerTokens([TOKEN]),
      });
      url = (await server.listen()).url;
      const { page } = await openPage(browser, url);
      const addresses: string[] = [];
      page.on('request', (request) => addresses.push(request.url()));
      page.on('websocket', (socket) => addresses.push(socket.url()));
      const field = page.getByLabel('Your token');
      await field.fill('not-the-token-0123456789');
      await photograph(page, 'token');
      await press(page, 'Go on');
      await page.getByText('The server did not take this token.').waitFor();
      await photograph(page, 'token-refused');
      await field.fill(TOKEN);
      await press(page, 'Go on');
      await write(page, 'Who is there?');
      await reach(page, 'live');
      await page.locator('.said-agent').getByText('Who is there?').waitFor();
      expect(addresses.some((address) => address.includes('/run_live'))).toBe(true);
      expect(addresses.some((address) => address.includes('/tickets'))).toBe(true);
      expect(addresses.filter((address) => /0123456789|ticket=/.test(address))).toEqual([]);
      expect(
        await page.evaluate('JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])'),
      ).toBe('[{},{},""]');
    },
    TEST_TIMEOUT_MS,
  );
});
