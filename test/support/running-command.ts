import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { CHECKOUT } from './checkout.ts';

/** A command of `holdfast` that runs from its sources, and what it has said. */
export class RunningCommand {
  readonly process: ChildProcess;
  output = '';
  readonly exited: Promise<number | null>;

  constructor(...parameters: string[]) {
    this.process = spawn(process.execPath, ['main.ts', ...parameters], {
      cwd: join(CHECKOUT, 'src/cli'),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.process.stdout?.on('data', (data: Buffer) => (this.output += data.toString()));
    this.process.stderr?.on('data', (data: Buffer) => (this.output += data.toString()));
    // Not 'exit': by then not all of its output may have been read.
    this.exited = new Promise((resolve) => this.process.once('close', resolve));
  }

  /** Resolves with the first match in what the process has said. */
  said(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const hear = (): void => {
        const match = pattern.exec(this.output);
        if (match !== null) resolve(match);
      };
      hear();
      this.process.stdout?.on('data', hear);
      this.process.stderr?.on('data', hear);
      this.process.once('close', () => reject(new Error(`It ended with: ${this.output}`)));
    });
  }
}
