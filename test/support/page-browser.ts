import { createRequire } from 'node:module';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import type { Browser, Page } from 'playwright-core';
import { CHECKOUT } from './checkout.ts';

interface SystemPrograms {
  findChromium(): string | undefined;
}

const require = createRequire(import.meta.url);
const { findChromium } = require('../../scripts/system-programs.cjs') as SystemPrograms;

const RECORDING = join(CHECKOUT, 'test/fixtures/spoken-question.wav');

/** The system's own browser, without a screen, with a recording as its microphone, and without calls to its maker. */
export function launchBrowser(): Promise<Browser> {
  const executablePath = findChromium();
  if (executablePath === undefined) {
    throw new Error(
      'No Chromium was found: install it, or set CHROMIUM_PATH to a Chrome or Chromium program.',
    );
  }
  return chromium.launch({
    executablePath,
    headless: true,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--use-fake-ui-for-media-stream',
      '--use-fake-device-for-media-stream',
      `--use-file-for-fake-audio-capture=${RECORDING}%noloop`,
      '--autoplay-policy=no-user-gesture-required',
    ],
  });
}

/** What a page holds of the machine, and what it complained about. */
export interface WatchedPage {
  readonly page: Page;
  /** Uncaught errors, and what was written to the console as an error. */
  readonly complaints: readonly string[];
  /** How many microphones were opened, and which of the page's microphones and audio contexts are in use. */
  held(): Promise<{ readonly microphonesOpened: number; readonly inUse: readonly string[] }>;
}

interface Watched {
  readonly tracks: { readonly kind: string; readonly readyState: string }[];
  readonly contexts: { readonly state: string }[];
}

/** Runs in the page before its own code: remembers every microphone and audio context it opens. */
const WATCH = `
  const watched = { tracks: [], contexts: [] };
  globalThis.watched = watched;
  const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (constraints) => {
    const stream = await ask(constraints);
    watched.tracks.push(...stream.getTracks());
    return stream;
  };
  globalThis.AudioContext = class extends AudioContext {
    constructor(options) {
      super(options);
      watched.contexts.push(this);
    }
  };
`;

/** Opens a page. `before` is a script that runs in it first. */
export async function openPage(browser: Browser, url: string, before = ''): Promise<WatchedPage> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(`uncaught: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(`console: ${message.text()}`);
  });
  await page.addInitScript(WATCH);
  if (before !== '') await page.addInitScript(before);
  await page.goto(url);
  const held = async (): Promise<{ microphonesOpened: number; inUse: string[] }> =>
    page.evaluate(() => {
      const { tracks, contexts } = (globalThis as unknown as { watched: Watched }).watched;
      return {
        microphonesOpened: tracks.length,
        inUse: [
          ...tracks.filter(({ readyState }) => readyState !== 'ended').map(({ kind }) => `${kind} track`),
          ...contexts.filter(({ state }) => state !== 'closed').map(() => 'audio context'),
        ],
      };
    });
  return { page, complaints, held };
}
