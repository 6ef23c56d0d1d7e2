import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SIGNAL_ECHO_MS } from '../../src/cli/signals.ts';
import { CHECKOUT } from '../support/checkout.ts';
import { launchBrowser, openPage } from '../support/page-browser.ts';
import { ProcessUnderTest, serviceOf } from '../support/process.ts';

// What a person sees who has `npm start` in a terminal and a call under way in a browser, and presses Ctrl-C.

const { findScript } = createRequire(import.meta.url)('../../scripts/system-programs.cjs') as {
  findScript(): string | undefined;
};

const SCREENSHOTS = join(CHECKOUT, 'build/screenshots');
const CTRL_C = '\u0003';
const BOUND_MS = 120_000;
const STEP_BOUND_MS = 30_000;

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
}, BOUND_MS);
afterAll(() => browser.close());

it(
  'D4 Ctrl-C says in the terminal and on the page that the call may go on; a second one ends it, and says so on both',
  { timeout: BOUND_MS },
  async () => {
    const terminal = ProcessUnderTest.start(
      findScript() ?? 'script',
      ['-qfec', 'exec npm start', '/dev/null'],
      { env: { HOLDFAST_PORT: '0' } },
    );
    await using service = await serviceOf(terminal);
    const { page, complaints } = await openPage(browser, service.url);
    page.setDefaultTimeout(STEP_BOUND_MS);
    const says = (text: RegExp): Promise<void> => page.getByText(text).first().waitFor();
    const write = async (text: string): Promise<void> => {
      await page.getByLabel('Write to the agent').fill(text);
      await page.getByRole('button', { name: 'Send' }).click();
    };
    await page.getByRole('button', { name: 'Speak' }).click();
    await page.waitForSelector('[data-call=live]');

    terminal.type(CTRL_C);
    await terminal.line(/Waiting for 1 call to end\. Ctrl-C again to end it now\./);
    await says(/The server is going away/);
    await page.screenshot({ path: join(SCREENSHOTS, 'ctrl-c-once.png') });
    // The call goes on.
    await write('Are you still there?');
    await page.waitForSelector('.said-agent');

    await new Promise((resolve) => setTimeout(resolve, SIGNAL_ECHO_MS));
    terminal.type(CTRL_C);
    await page.waitForSelector('[data-call=ended]');
    await says(/The server was shut down, and ended the call\. Call again when it is back\./);
    await page.getByRole('button', { name: 'Call again' }).waitFor();
    await page.screenshot({ path: join(SCREENSHOTS, 'ctrl-c-twice.png') });
    await terminal.line(/Ending 1 call\./);
    await terminal.line(/1 call was cut/);
    expect(await terminal.exit()).toEqual({ status: 1, signal: null });
    expect(complaints).toEqual([]);
  },
);
