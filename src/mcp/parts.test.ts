import { describe, expect, it } from 'vitest';
import { BodyGuard } from './body-guard.ts';
import { BoundedLines } from './bounded-lines.ts';
import { toldOf } from './call-result.ts';
import { McpCallError } from './errors.ts';
import { Redactor } from './redactor.ts';

describe('BoundedLines', () => {
  function read(maxBytes: number, ...chunks: string[]): string[] {
    const said: string[] = [];
    const lines = new BoundedLines(
      maxBytes,
      (line) => said.push(line),
      () => said.push('OVER'),
    );
    for (const chunk of chunks) lines.push(Buffer.from(chunk));
    return said;
  }

  it('makes lines of whatever pieces they come in', () => {
    expect(read(10, 'a\nb', 'c', 'd\n\ne')).toEqual(['a', 'bcd', '']);
  });

  it('joins a character that came in two pieces', () => {
    const said: string[] = [];
    const lines = new BoundedLines(
      10,
      (line) => said.push(line),
      () => undefined,
    );
    const bytes = Buffer.from('é\n');
    lines.push(bytes.subarray(0, 1));
    lines.push(bytes.subarray(1));
    expect(said).toEqual(['é']);
  });

  it('L tells once of a line that is too long, and reads no more', () => {
    expect(read(3, 'abc\nab', 'cd', 'e\nf\n')).toEqual(['abc', 'OVER']);
  });
});

describe('BodyGuard', () => {
  const take = (guard: BodyGuard, text: string): boolean => guard.take(Buffer.from(text));

  it('L counts a body as a whole', () => {
    const guard = new BodyGuard(5, false);
    expect([take(guard, 'abc\n\n'), take(guard, 'd')]).toEqual([true, false]);
  });

  it.each(['\n', '\r', '\r\n'])('L counts events from one blank line to the next, ended with %j', (end) => {
    const guard = new BodyGuard(20, true);
    const event = `data: 12345${end}${end}`;
    for (let count = 0; count < 100; count += 1) {
      const cut = count % event.length;
      expect(take(guard, event.slice(0, cut)) && take(guard, event.slice(cut))).toBe(true);
    }
    // Many short lines of one event are as much as one long one.
    expect(Array.from({ length: 5 }, () => take(guard, `data: 1${end}`)).includes(false)).toBe(true);
  });
});

describe('Redactor', () => {
  it('takes out values, what stands behind a space in them, and what an address hides', () => {
    const redactor = new Redactor();
    redactor.addValues(['Bearer abcdefgh', 'yes']);
    redactor.addUrl(new URL('https://me:pass%20word@host/api/0123456789abcdef?key=k%26secret'));
    const said =
      'Bearer abcdefgh abcdefgh pass word pass%20word 0123456789abcdef k&secret k%26secret yes api';
    expect(redactor.clean(said)).toBe('… … … … … … … yes api');
  });

  it('makes one short line of a text', () => {
    expect(new Redactor().brief(`a\n\n  b ${'x'.repeat(1_000)}`)).toMatch(/^a b x{496}…$/);
  });
});

describe('toldOf', () => {
  it('cuts between characters', () => {
    const text = 'é'.repeat(10);
    expect(toldOf({ content: [{ type: 'text', text }] }, 5)).toBe('éé\n[cut: 5 of 20 bytes]');
  });

  it('tells a structured result that is too large as text that is cut', () => {
    const structuredContent = { list: 'x'.repeat(50) };
    expect(toldOf({ content: [], structuredContent }, 10)).toBe('{"list":"x\n[cut: 10 of 61 bytes]');
  });

  it('names what it does not know, and a failure without words', () => {
    expect(toldOf({ content: [{ type: 'hologram' }] }, 100)).toBe(
      "[content of the kind 'hologram': not shown]",
    );
    expect(() => toldOf({ content: [], isError: true }, 100)).toThrow(McpCallError);
    expect(() => toldOf({ content: [], isError: true }, 100)).toThrow('did not say why');
  });
});
