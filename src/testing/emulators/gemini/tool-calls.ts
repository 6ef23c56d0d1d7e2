import type { FunctionCall } from '../../../protocol/index.ts';
import type { AnswerStep, WantedCall } from './brains/index.ts';
import type { ToolResult } from './client-message.ts';

/** Calls that were made together, and what is done when all their results are there. */
export interface CallGroup {
  readonly calls: readonly FunctionCall[];
  readonly results: ToolResult[];
  readonly then: readonly AnswerStep[];
}

/** Cancelled calls that are remembered: their results were on their way, and come soon or never. */
const MAX_CANCELLED = 100;

export type TakenResult =
  /** There was never such a call, or it has its result already. */
  | { readonly tag: 'unknown' }
  /** It was cancelled while the result was on its way, or there is more to come. */
  | { readonly tag: 'noted' }
  | { readonly tag: 'complete'; readonly group: CallGroup };

/** Which calls of the client's functions are open, and which were cancelled. */
export class ToolCalls {
  readonly #open = new Set<CallGroup>();
  readonly #cancelled = new Set<string>();
  /** The number of the next call: no other one of its session has it, on whichever connection. */
  readonly #next: () => number;

  constructor(next: () => number) {
    this.#next = next;
  }

  get pending(): boolean {
    return this.#open.size > 0;
  }

  make(wanted: readonly WantedCall[], then: readonly AnswerStep[]): CallGroup {
    const calls = wanted.map((call) => ({ id: `function-call-${this.#next()}`, ...call }));
    const group: CallGroup = { calls, results: [], then };
    this.#open.add(group);
    return group;
  }

  /** Gives up a group. A result of it may be on its way, and is no mistake. */
  cancel(group: CallGroup): string[] {
    this.#open.delete(group);
    const ids = group.calls.map(({ id }) => id);
    for (const id of ids) this.#cancelled.add(id);
    for (const id of [...this.#cancelled].slice(0, -MAX_CANCELLED)) this.#cancelled.delete(id);
    return ids;
  }

  take(result: ToolResult): TakenResult {
    if (result.id !== undefined && this.#cancelled.delete(result.id)) return { tag: 'noted' };
    for (const group of this.#open) {
      const call = group.calls.find((open) => isFor(result, open) && !isAnswered(group, open));
      if (call === undefined) continue;
      // One that says that more will follow is only a word in between.
      if (result.willContinue) return { tag: 'noted' };
      group.results.push({ ...result, id: call.id });
      if (group.results.length < group.calls.length) return { tag: 'noted' };
      this.#open.delete(group);
      return { tag: 'complete', group };
    }
    return { tag: 'unknown' };
  }
}

/** Vertex takes results without an id: then the name says whose it is. */
function isFor(result: ToolResult, call: FunctionCall): boolean {
  return result.id === undefined ? result.name === call.name : result.id === call.id;
}

function isAnswered({ results }: CallGroup, { id }: FunctionCall): boolean {
  return results.some((result) => result.id === id);
}

/** What functions gave, as a text: an `output` as it is, anything else as JSON. */
export function outputOf(results: readonly ToolResult[]): string {
  return results
    .map(({ response }) => {
      const { output } = response;
      return typeof output === 'string' ? output : JSON.stringify(output ?? response);
    })
    .join('\n');
}
