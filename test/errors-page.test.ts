import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ADK_CLOSE_CODES, CLOSE_CODES } from '../src/protocol/index.ts';
import { CHECKOUT } from './support/checkout.ts';

/** What the sources say, without what they say about it. */
function readCode(path: string): string {
  return readFileSync(join(CHECKOUT, path), 'utf8').replaceAll(/^\s*(?:\/\*\*|\*|\/\/).*$/gm, '');
}

function listFiles(folder: string, ending: RegExp): string[] {
  return readdirSync(join(CHECKOUT, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => ending.test(path) && !/\.test\.tsx?$/.test(path) && !path.includes('node_modules'))
    .map((path) => join(folder, path));
}

const SOURCES = [...listFiles('src', /\.ts$/), ...listFiles('ui', /\.tsx?$/)].map(readCode);
const PAGES = [
  'README.md',
  'ARCHITECTURE.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'CHANGELOG.md',
  ...listFiles('docs', /\.md$/),
];

/** A code is always a text in the sources. */
const CODE = /['"](HOLDFAST_[A-Z_]+)['"]/g;
/** So are the names of some environment variables, which are none. */
const VARIABLE = /(?:process\.env\[|\.env\()\s*['"](HOLDFAST_[A-Z_]+)['"],?\s*[\])]/g;

const ERROR_ROW = /^\| `(HOLDFAST_[A-Z_]+)`\s+\| (?:`(\w+)`|(an? .+?))\s+\| (.+?)\s+\| (.+?)\s+\|$/gm;
const CLOSE_ROW = /^\| (\d{4})\s+\| (.+?)\s+\| (.+?)\s+\| (.+?)\s+\| (.+?)\s+\|$/gm;

const found = (pattern: RegExp): Set<string> =>
  new Set(SOURCES.flatMap((source) => [...source.matchAll(pattern)].map(([, code = '']) => code)));

/** Every flag of a server has its variable: `--drain-timeout` is HOLDFAST_DRAIN_TIMEOUT. */
const FLAG = /option\(\s*'--([a-z-]+)/g;
const variables = found(VARIABLE).union(
  new Set([...found(FLAG)].map((flag) => `HOLDFAST_${flag.replaceAll('-', '_').toUpperCase()}`)),
);
const codes = found(CODE).difference(found(VARIABLE));
const page = readFileSync(join(CHECKOUT, 'docs/errors.md'), 'utf8');
const rows = [...page.matchAll(ERROR_ROW)];
const closeRows = [...page.matchAll(CLOSE_ROW)];

describe('docs/errors.md, the codes of errors', () => {
  it('lists every code of the sources, once, and no other', () => {
    expect(codes.size).toBeGreaterThan(30);
    expect(new Set(rows.map((row) => row[1]))).toEqual(codes);
    expect(rows).toHaveLength(codes.size);
  });

  it('says of each what happened and what to do, in sentences', () => {
    const wrong = rows.filter(([, , , , happened = '', advice = '']) =>
      [happened, advice].some((text) => !/^[A-Z`].*[.!]$/.test(text)),
    );
    expect(wrong.map((row) => row[0])).toEqual([]);
  });

  it('names the class that carries the code, and somebody throws it', () => {
    const wrong = rows.filter(([, code, name]) => {
      if (name === undefined) return false;
      const declared = new RegExp(`class ${name} extends \\w+ \\{\\s+readonly code = '${code}'`);
      const isThrown = SOURCES.some((source) => source.includes(`new ${name}(`));
      return !isThrown || !SOURCES.some((source) => declared.test(source));
    });
    expect(wrong.map((row) => row[0])).toEqual([]);
  });

  it('calls nothing an answer or an event for which there is a class', () => {
    const classes = found(/readonly code = '(HOLDFAST_[A-Z_]+)'/g);
    const wrong = rows.filter(([, code = '', , other]) => other !== undefined && classes.has(code));
    expect(wrong.map((row) => row[0])).toEqual([]);
  });

  it.each(PAGES)('has every code that %s speaks of', (path) => {
    const text = readFileSync(join(CHECKOUT, path), 'utf8');
    const spoken = new Set(text.match(/\bHOLDFAST_[A-Z]+(?:_[A-Z]+)*\b/g));
    expect([...spoken.difference(codes).difference(variables)]).toEqual([]);
  });
});

describe('docs/errors.md, the codes of closes', () => {
  const wires = closeRows.flatMap(([, code, adk, holdfast]) => [
    ...(adk === 'yes' ? [`adk ${code}`] : []),
    ...(holdfast === 'yes' ? [`holdfast.v1 ${code}`] : []),
  ]);

  it('lists every close code of both wires, once, and no other', () => {
    const expected = [
      ...Object.values(ADK_CLOSE_CODES).map((code) => `adk ${code}`),
      ...Object.values(CLOSE_CODES).map(({ code }) => `holdfast.v1 ${code}`),
      // What is too large has one code wherever WebSockets are spoken.
      `holdfast.v1 ${ADK_CLOSE_CODES.tooLarge}`,
    ];
    expect(wires.toSorted()).toEqual(expected.toSorted());
    expect(new Set(closeRows.map((row) => row[1])).size).toBe(closeRows.length);
  });

  it('says of each what happened and what to do, in sentences', () => {
    const wrong = closeRows.filter(([, , , , happened = '', advice = '']) =>
      [happened, advice].some((text) => !/^[A-Z`].*[.!]$/.test(text)),
    );
    expect(wrong.map((row) => row[0])).toEqual([]);
  });

  it('agrees with docs/protocol.md', () => {
    const protocol = readFileSync(join(CHECKOUT, 'docs/protocol.md'), 'utf8');
    const table = [...protocol.matchAll(/^\| (\d{4}) /gm)].map(([, code]) => `holdfast.v1 ${code}`);
    const [, sentence = ''] = /\*\*P40\*\*([^]*?)(?:\n-|\n\n|$)/.exec(protocol) ?? [];
    const adk = (sentence.match(/\b\d{4}\b/g) ?? []).map((code) => `adk ${code}`);
    expect([...table, ...adk].toSorted()).toEqual(wires.toSorted());
  });
});
