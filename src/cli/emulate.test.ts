import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const PROGRAM = `
  import { Command } from 'commander';
  import { emulateCommand } from './emulate.ts';
  const program = new Command('holdfast');
  emulateCommand(program);
  await program.parseAsync(process.argv.slice(1), { from: 'user' });
`;
const PATH = '/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent?key=any';

class Running {
  readonly process: ChildProcess;
  output = '';
  readonly exited: Promise<number | null>;

  constructor(...parameters: string[]) {
    this.process = spawn(
      process.execPath,
      ['--input-type=module', '-e', PROGRAM, '--', 'emulate', 'gemini', ...parameters],
      { cwd: HERE, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    this.exited = new Promise((resolve) => this.process.once('exit', resolve));
  }

  /** Resolves with the first match in what the process has said. */
  said(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const hear = (data?: Buffer): void => {
        this.output += data?.toString() ?? '';
        const match = pattern.exec(this.output);
        if (match !== null) resolve(match);
      };
      hear();
      this.process.stdout?.on('data', hear);
      this.process.stderr?.on('data', hear);
      this.process.once('exit', () => reject(new Error(`It ended with: ${this.output}`)));
    });
  }
}

let running: Running | undefined;

afterEach(() => {
  running?.process.kill('SIGKILL');
});

describe('holdfast emulate gemini', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)(
    'says where it is, tells each connection in a line, and ends on %s with calls under way',
    async (signal) => {
      running = new Running('--port', '0');
      const [, url] = await running.said(/GOOGLE_GEMINI_BASE_URL=http(:\S+)/);
      const socket = new WebSocket(`ws${url}${PATH}`);
      socket.on('open', () => socket.send('{"setup":{"model":"models/m"}}'));
      await running.said(/client set up/);
      const closed = new Promise<number>((resolve) => socket.on('close', resolve));
      running.process.kill(signal);
      expect(await closed).toBe(1001);
      expect(await running.exited).toBe(0);
    },
  );

  it('takes no harm from an echo of the signal that arrives while it ends', async () => {
    running = new Running('--port', '0');
    await running.said(/GOOGLE_GEMINI_BASE_URL/);
    const echoes = setInterval(() => running?.process.kill('SIGINT'), 0);
    try {
      expect(await running.exited).toBe(0);
    } finally {
      clearInterval(echoes);
    }
  });

  it('reads a fault script in YAML, under the seed of the command line', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-faults-'));
    try {
      const file = join(folder, 'faults.yaml');
      writeFileSync(file, '- when: { probability: 0.5 }\n  what: { type: httpStatus, status: 503 }\n');
      running = new Running('--port', '0', '--faults', file, '--seed', '42');
      await running.said(/"seed":42,"msg":"faults left to chance"/);
      await running.said(/GOOGLE_GEMINI_BASE_URL/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('refuses a fault script that is wrong, and says where', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-faults-'));
    try {
      const file = join(folder, 'faults.json');
      writeFileSync(file, '[{"what":{"type":"explode"}}]');
      running = new Running('--port', '0', '--faults', file);
      await running.said(/The fault script is wrong[\s\S]*\[0\]\.what\.type/);
      expect(await running.exited).toBe(1);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
