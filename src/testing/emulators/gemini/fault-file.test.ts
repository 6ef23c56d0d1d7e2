import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { InvalidOptionError } from '../../../kernel/index.ts';
import { parseFaultText, readFaultScript } from './fault-file.ts';

describe('fault file', () => {
  it('is YAML or JSON, and says the same in both', () => {
    const yaml =
      'seed: 7\nrules:\n  - when: { on: turn, nth: 2 } # the second\n    what: { type: silence }\n';
    const json =
      '{\n\t"seed": 7,\n\t"rules": [{ "when": { "on": "turn", "nth": 2 }, "what": { "type": "silence" } }]\n}';
    expect(parseFaultText(yaml, 'a.yaml')).toEqual(parseFaultText(json, 'a.json'));
  });

  it.each([
    [
      'a fault nobody knows',
      '- what:\n    type: explode\n',
      'line 2, column 11 of f.yaml',
      "no fault 'explode'",
    ],
    ['a slip', '- what:\n    type: rest\n', 'line 2, column 11', "did you mean 'reset'?"],
    [
      'a moment nobody knows',
      '- what: { type: reset }\n  when:\n    on: stup',
      'line 3',
      "did you mean 'setup'?",
    ],
    ['a field nobody knows', '- what: { type: close, cod: 1011 }', '[0].what', "did you mean 'code'?"],
    ['a field that is missing', 'rules:\n\n  - what: { type: delay }', 'line 3', 'rules[0].what.ms'],
    ['a value that is wrong', '[\n  {"what": {"type": "delay", "ms": -1}}\n]', 'line 2, column 36', 'ms'],
    ['YAML that is broken', '- what: { type: reset', 'f.yaml:1: ', 'neither YAML nor JSON'],
    ['no script at all', 'hello', 'give a list of rules', 'seed, rules'],
    ['nothing', '', 'give a list of rules', 'seed, rules'],
    ['what unfolds without end', unfolding(), 'cannot be read', 'alias'],
  ])('refuses %s, and says where', (_, text, ...told) => {
    const parse = (): unknown => parseFaultText(text, 'f.yaml');
    expect(parse).toThrow(InvalidOptionError);
    for (const words of told) expect(parse).toThrow(words);
  });

  it('is read from where it stands, or named when it cannot be', () => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-faults-'));
    try {
      const path = join(folder, 'faults.yml');
      writeFileSync(path, '- what: { type: reset }');
      expect(readFaultScript(path)).toEqual([{ what: { type: 'reset' } }]);
      expect(() => readFaultScript(join(folder, 'none.yml'))).toThrow('none.yml cannot be read');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

/** Few letters that stand for a million rules. */
function unfolding(): string {
  const levels = ['a: &a [x, x, x, x, x, x, x, x, x, x]'];
  for (const [index, name] of ['b', 'c', 'd', 'e', 'f'].entries()) {
    const below = 'abcde'[index];
    levels.push(`${name}: &${name} [${Array.from({ length: 10 }, () => `*${below}`).join(', ')}]`);
  }
  return levels.join('\n');
}
