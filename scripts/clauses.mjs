// Keeps docs/clauses.md true: under every clause it lists the tests whose names begin with the clause's number.
//
//   node scripts/clauses.mjs            writes the lists anew
//   node scripts/clauses.mjs --check    changes nothing; fails when a list is stale
//
// In both forms a promised clause without a test, and a test that names a clause the page does not have, are errors.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const CHECKOUT = dirname(dirname(fileURLToPath(import.meta.url)));
const PAGE = join(CHECKOUT, 'docs/clauses.md');

/** The sentences of the wire begin with P and have a page of their own. */
const NUMBER = /^(?:[CRSDH]\d{1,2}|E|L)$/;
const TEST_NAME = /\b(?:it|test)(?:\.each\(.*?\))?\(\s*(?:'((?:[^'\\\n]|\\.)*)'|"([^"\n]*)"|`([^`\n]*)`)/gs;
const SCENARIO = /\bclause: '(\w+)',\s+name: (?:'([^'\n]*)'|`([^`\n]*)`)/g;
/** Where tests are rows of a table, and a clause is a field of each. */
const TABLES = ['test/scenarios/', 'test/close-matrix/'];
const CLAUSE = /^\*\*([A-Z]\d{0,2})\*\*/;
/** What is written there runs in no test. */
const COMMENT = /^\s*(?:\/\/|\/\*|\*).*$/gm;

/** Every test that names clauses, in the order of files and lines. */
function findProofs() {
  return ['src', 'test', 'ui'].flatMap((folder) =>
    readdirSync(join(CHECKOUT, folder), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts') && !path.includes('node_modules'))
      .toSorted()
      .flatMap((path) => proofsIn(`${folder}/${path}`)),
  );
}

function proofsIn(file) {
  const text = readFileSync(join(CHECKOUT, file), 'utf8').replaceAll(COMMENT, '');
  if (file.endsWith('.test.ts')) {
    return [...text.matchAll(TEST_NAME)].flatMap((found) => proofOf(file, found[1] ?? found[2] ?? found[3]));
  }
  if (!TABLES.some((folder) => file.startsWith(folder))) return [];
  return [...text.matchAll(SCENARIO)].flatMap((found) =>
    proofOf(file, `${found[1]} ${found[2] ?? found[3]}`),
  );
}

function proofOf(file, name) {
  const words = name.split(/[ :]/);
  const clauses = words.slice(
    0,
    words.findIndex((word) => !NUMBER.test(word)),
  );
  return clauses.length === 0 ? [] : [{ clauses, file, name }];
}

function listOf(proofs) {
  const files = [...new Set(proofs.map(({ file }) => file))];
  return files.map((file) => {
    const names = proofs.filter((proof) => proof.file === file).map(({ name }) => `  - \`${plain(name)}\``);
    return [`- \`${file}\``, ...new Set(names)].join('\n');
  });
}

/** What a test goes through one by one stands as `…`, and nothing in a name ends its code span. */
function plain(name) {
  return name
    .replaceAll(/\$\{[^}]*\}|%[a-z]|\$[\w.]+/g, '{…}')
    .replaceAll('\\', '')
    .replaceAll('`', "'");
}

function renew(page, proofs) {
  const problems = [];
  const known = new Set();
  let promised = true;
  const blocks = page.split(/\n{2,}/).filter((block) => !block.startsWith('- `'));
  const renewed = blocks.flatMap((block) => {
    if (block.startsWith('## Not yet promised')) promised = false;
    const clause = CLAUSE.exec(block)?.[1];
    if (clause === undefined) return [block];
    known.add(clause);
    const own = proofs.filter(({ clauses }) => clauses.includes(clause));
    if (promised && own.length === 0)
      problems.push(`${clause} is promised, and no test's name begins with it.`);
    return own.length === 0 ? [block] : [block, listOf(own).join('\n')];
  });
  for (const { clauses, file, name } of proofs) {
    for (const clause of clauses.filter((each) => !known.has(each))) {
      problems.push(`${file}: '${name}' names ${clause}, which docs/clauses.md does not have.`);
    }
  }
  return { page: `${renewed.map((block) => block.trimEnd()).join('\n\n')}\n`, problems };
}

const page = readFileSync(PAGE, 'utf8');
const renewed = renew(page, findProofs());
const { problems } = renewed;
if (!process.argv.includes('--check')) writeFileSync(PAGE, renewed.page);
else if (renewed.page !== page) problems.push('docs/clauses.md is stale: run `node scripts/clauses.mjs`.');
for (const problem of problems) process.stderr.write(`${problem}\n`);
if (problems.length > 0) process.exitCode = 1;
