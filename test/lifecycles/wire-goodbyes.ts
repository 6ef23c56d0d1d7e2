import { adkGoodbye, holdfastGoodbye } from '../../src/server/client/leg-end.ts';
import { END_REASONS } from '../../src/session/session-end.ts';
import type { EndReason } from '../../src/session/index.ts';
import type { WayTable } from './way-table.ts';
import { code, goodbye } from './words.ts';

/** What is said for a reason on both wires; reasons that are told alike share a row. */
function byGoodbyes(): Map<string, { readonly reasons: EndReason[]; readonly cells: readonly string[] }> {
  const rows = new Map<string, { reasons: EndReason[]; cells: string[] }>();
  for (const reason of Object.keys(END_REASONS) as EndReason[]) {
    const end = { tag: 'session', reason } as const;
    const cells = [goodbye(adkGoodbye(end), 'adk'), goodbye(holdfastGoodbye(end), 'holdfast.v1')];
    const row = rows.get(cells.join()) ?? { reasons: [], cells };
    row.reasons.push(reason);
    rows.set(cells.join(), row);
  }
  return rows;
}

/** The whole of the code that puts a reason into the words of a wire, those that no client lives to see included. */
export const wireGoodbyes: WayTable = {
  name: 'wire-goodbyes',
  columns: ['reason', 'the ADK wire', '`holdfast.v1`'],
  ways: [...byGoodbyes().values()].map(({ reasons, cells }) => ({
    name: reasons.map(code).join(', '),
    play: () => Promise.resolve(cells),
  })),
};
