import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { Lifetime, VirtualClock } from '../src/kernel/index.ts';
import * as speech from '../src/speech/index.ts';
import {
  ScriptedLanguageModel,
  checkLanguageModelScript,
  readLanguageModelScript,
} from '../src/testing/index.ts';
import type { ScriptedLanguageModelOptions } from '../src/testing/index.ts';
import { CHECKOUT } from './support/checkout.ts';
import { runProgram } from './support/run-program.ts';

const PAGE = readFileSync(join(CHECKOUT, 'docs/language-models.md'), 'utf8');
const FIGURE = /^\| `([A-Z_]+)`\s+\| (\d[\d ]*?)\s+\| (.+?)\s+\|$/gm;
const FAULT = /^\| `([a-z]\w+)`\s+\| ([^|]+?)\s+\|$/gm;

/** The n-th fenced block of this language, counted from 1. */
function block(language: string, nth = 1): string {
  const blocks = [...PAGE.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))];
  return blocks[nth - 1]?.[1] ?? expect.unreachable(`the page has no ${nth}. block of ${language}`);
}

async function inFolder<Result>(run: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), 'language-models-page-'));
  try {
    return await run(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe('docs/language-models.md', () => {
  it('shows a program that prints what the page says', async () => {
    const source = (path: string): string => `'${pathToFileURL(join(CHECKOUT, 'src', path)).href}'`;
    const program = block('ts')
      .replace(`'holdfast'`, source('index.ts'))
      .replace(`'holdfast/testing'`, source('testing/index.ts'));
    await inFolder(async (folder) => {
      await writeFile(join(folder, 'program.mts'), program);
      const run = await runProgram(process.execPath, ['program.mts'], { cwd: folder, env: {} });
      expect(run).toEqual({ status: 0, stdout: block('text'), stderr: '' });
    });
  });

  it('shows a scripted model that does what it says', async () => {
    const [, options = ''] = /new ScriptedLanguageModel\((.*)\);/s.exec(block('ts', 2)) ?? [];
    const model = new ScriptedLanguageModel(runInNewContext(`(${options})`) as ScriptedLanguageModelOptions);
    const clock = new VirtualClock();
    const scope = Lifetime.root({ name: 'turn', clock });
    const heard: string[] = [];
    const sink = {
      text: (piece: string): void => void heard.push(piece),
      toolCall: ({ name }: { name: string }): void => void heard.push(name),
      usage: (): void => undefined,
    };
    const request = { instructions: undefined, history: [], tools: [] };
    const first = model.generate(request, sink, scope);
    await clock.advance(200);
    expect([await first, ...heard]).toEqual(['tools', 'One ', 'moment.', 'weather']);
    const second = model.generate(request, sink, scope).catch((error: Error) => error.name);
    await clock.advance(60_000);
    expect([heard.at(-1), model.openAnswers]).toEqual(['It is', 1]);
    void scope.close();
    expect([await second, model.openAnswers]).toEqual(['ClosedError', 0]);
  });

  it('shows a script that the emulator takes', async () => {
    await inFolder(async (folder) => {
      const file = join(folder, 'script.yaml');
      await writeFile(file, block('yaml'));
      const { answers = [], faults = [] } = readLanguageModelScript(file);
      expect([answers.length, faults.length]).toEqual([2, 2]);
    });
  });

  it('lists every figure with its value', () => {
    const told = [...PAGE.matchAll(FIGURE)].map(([, name = '', value = '']) => [
      name,
      Number(value.replaceAll(' ', '')),
    ]);
    const figures = Object.entries(speech).filter(
      ([name, value]) =>
        typeof value === 'number' &&
        /^(?:LANGUAGE_MODEL|STREAM_END|FALLBACK_FIRST|FALLBACK_REST)_/.test(name),
    );
    expect(Object.fromEntries(told)).toEqual(Object.fromEntries(figures));
    const { maxAttempts, delaysMs, jitterMs } = speech.LANGUAGE_MODEL_RETRY;
    expect([maxAttempts, delaysMs, jitterMs]).toEqual([3, [0, 250, 1_000], 250]);
  });

  it('lists every fault there is', () => {
    const told = [...PAGE.matchAll(FAULT)].map(([, type = '']) => type);
    // The message of a type that there is not names those that there are.
    const wrong = (): unknown => checkLanguageModelScript({ faults: [{ what: { type: 'none' } }] });
    const known = /'status'.*/.exec(messageOf(wrong))?.[0].match(/'\w+'/g) ?? [];
    expect(known.map((name) => name.slice(1, -1))).toEqual(told);
  });
});

function messageOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return (error as Error).message;
  }
  return expect.unreachable('it takes a fault that there is not');
}
