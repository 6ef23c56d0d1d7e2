// Keeps docs/clauses.md true: under every promised clause it lists the tests whose names begin with its number.
//
//   node scripts/clauses.mjs            writes the lists anew
//
// A clause under "Promised" without a test, and a test that names a clause the page does not have, are errors.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const CHECKOUT = dirname(dirname(fileURLToPath(import.meta.url)));
const PAGE = join(CHECKOUT, 'docs/clauses.md');

/** Letters that begin a clause's number. Sentences of the wire's specification begin with P and have a page of their own. */
const CLAUSE = /^(?:[CRSDH]\d{1,2}|E|L)$/;
const TEST_NAME = /\b(?:it|test)(?:\.each\([^\n]*?\))?\(\s*(['"`])((?:[CRSDHEL]\d{0,2} )[^\n]*?)\1/g;
const SCENARIO = /\bclause: '([A-Z]\d{0,2})',\s+name: (['"`])([^\n]*?)\2,/g;
const HEADING = /^### ([A-Z]\d{0,2}): /;

/** @returns {{ clause: string, file: string, name: string }[]} every proof there is, in the order of files and lines */
export function findProofs() {
  const files = ['src', 'test'].flatMap((folder) =>
    readdirSync(join(CHECKOUT, folder), { recursive: true, encoding: 'utf8' }).map((path) => join(folder, path)),
  );
  return files.toSorted().flatMap((file) => {
    if (!/\.ts$/.test(file)) return [];
    const text = readFileSync(join(CHECKOUT, file), 'utf8');
    return file.endsWith('.test.ts') ? namedTests(file, text) : namedScenarios(file, text);
  });
}

function namedTests(file, text) {
  return [...text.matchAll(TEST_NAME)].flatMap(([, , name]) => {
    const words = name.split(' ');
    const numbers = words.slice(0, words.findIndex((word) => !CLAUSE.test(word)));
    const rest = words.slice(numbers.length).join(' ');
    return numbers.map((clause) => ({ clause, file, name: rest }));
  });
}

function namedScenarios(file, text) {
  if (!file.startsWith('test/scenarios/')) return [];
  return [...text.matchAll(SCENARIO)].map(([, clause, , name]) => ({ clause, file, name: `scenario: ${name}` }));
}

/** @returns {{ page: string, problems: string[] }} the page with its lists made anew, and what is wrong with it */
export function renewPage(page, proofs = findProofs()) {
  const [promised, later = ''] = page.split(/^(?=## Not yet promised)/m);
  const problems = [];
  const known = new Set();
  const sections = promised.split(/^(?=### )/m).map((section) => {
    const clause = HEADING.exec(section)?.[1];
    if (clause === undefined) return section;
    known.add(clause);
    const own = proofs.filter((proof) => proof.clause === clause);
    if (own.length === 0) problems.push(`${clause} is promised and no test's name begins with it.`);
    const text = section.split(/^- `/m)[0].trimEnd();
    return `${text}\n\n${byFile(own)}\n`;
  });
  for (const proof of proofs) {
    if (known.has(proof.clause) || later.includes(`**${proof.clause}**`)) continue;
    problems.push(`${proof.file}: '${proof.name}' names ${proof.clause}, which docs/clauses.md does not have.`);
  }
  return { page: `${sections.join('\n').replace(/\n{3,}/g, '\n\n').trimEnd()}\n\n${later}`, problems };
}

function byFile(proofs) {
  const files = [...new Set(proofs.map((proof) => proof.file))];
  return files
    .map((file) => {
      const names = proofs.filter((proof) => proof.file === file).map((proof) => `  - ${escape(proof.name)}`);
      return [`- \`${file}\``, ...names].join('\n');
    })
    .join('\n');
}

/** Names are plain text, not Markdown. */
function escape(name) {
  return name.replaceAll(/[\\`*_<>[\]]/g, '\\$&');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { page, problems } = renewPage(readFileSync(PAGE, 'utf8'));
  writeFileSync(PAGE, page);
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  if (problems.length > 0) process.exitCode = 1;
}
