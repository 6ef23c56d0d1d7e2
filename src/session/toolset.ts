import type { Lifetime } from '../kernel/index.ts';
import type { Tool } from './tool.ts';

/**
 * Tools that have something behind them which must be opened and let go of: a connection, a process, a file. An agent names
 * its toolsets; each live session opens those its agents need, once, and lets go of them when it ends.
 *
 * ```ts
 * const orders: Toolset = {
 *   name: 'orders',
 *   open: async (scope) => {
 *     const db = scope.own('database', await connect(), { close: (it) => it.end() });
 *     return [tool({ name: 'find_order', description: '…', execute: ({ id }) => db.find(id) })];
 *   },
 * };
 * ```
 */
export interface Toolset {
  /** What it is called in logs and in the close report, `toolset orders`. */
  readonly name: string;
  /**
   * Opens it for one live session. What it opens belongs to `scope`, which is closed with the live session, also when this
   * is still under way, or fails. @throws what says why its tools cannot be had.
   */
  open(scope: Lifetime): Promise<readonly Tool[]>;
}
