/** A call as `GET /admin/sessions` tells it; what is missing there is missing here. */
export interface ListedCall {
  readonly ageMs?: number;
  readonly kind?: string;
  readonly app?: string;
  readonly user?: string;
  readonly id?: string;
  readonly client?: string;
  readonly model?: string;
  readonly agent?: string;
  readonly state?: string;
  readonly draining?: boolean;
  readonly resources?: readonly string[];
}

const COLUMNS = ['AGE', 'KIND', 'APP', 'USER', 'SESSION', 'CLIENT', 'MODEL', 'AGENT', 'STATE', 'RESOURCES'];

/** Names are the application's own and may be long; a table is read by eye. The ids that a server gives itself fit. */
const MAX_CELL_CHARACTERS = 40;

/** What is under way, one call a line, for people. */
export function sessionTable(calls: readonly ListedCall[]): string {
  const rows = [COLUMNS, ...calls.map(rowOf)];
  const widths = COLUMNS.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows
    .map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '))
    .map((line) => line.trimEnd())
    .join('\n');
}

function rowOf(call: ListedCall): string[] {
  const cells = [
    ageInWords(call.ageMs ?? 0),
    call.kind,
    call.app,
    call.user,
    call.id,
    call.client,
    call.model,
    call.agent ?? '–',
    call.draining === true ? `${call.state}, told to go` : call.state,
  ];
  return [...cells.map((cell) => fitted(cell ?? '?')), resourcesInWords(call.resources ?? [])];
}

/** `42 s`, `3 min 5 s`, `2 h 10 min`. */
export function ageInWords(ageMs: number): string {
  const seconds = Math.floor(ageMs / 1_000);
  const minutes = Math.floor(seconds / 60);
  if (minutes === 0) return `${seconds} s`;
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** The name each thing has itself, without whose it is, and how often it is there. */
function resourcesInWords(paths: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const path of paths) {
    const name = printable(path.slice(path.lastIndexOf('/') + 1));
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return [...counts].map(([name, count]) => (count === 1 ? name : `${count} × ${name}`)).join(', ');
}

function fitted(text: string): string {
  const clean = printable(text);
  return clean.length <= MAX_CELL_CHARACTERS ? clean : `${clean.slice(0, MAX_CELL_CHARACTERS - 1)}…`;
}

/** A name that came from afar may not move the cursor of who looks at it. */
function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is taken out.
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, '�');
}
