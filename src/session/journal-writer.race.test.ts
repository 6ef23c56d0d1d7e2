import { asyncProperty, array, assert as check, constantFrom } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Lifetime, VirtualClock } from '../kernel/index.ts';
import { textContent } from '../protocol/index.ts';
import { JOURNAL_RETRY_MS, JournalWriter } from './journal-writer.ts';
import type { Journal, SessionChanges, SessionKey, StoredSession } from './session-store.ts';

/** What of a session a journal keeps, as one text that can be compared. */
function imageOf({ history, state, resumption, usage }: StoredSession): string {
  const said = history.map(({ parts }) => parts[0]?.text);
  return JSON.stringify({ said, state, handle: resumption?.handle, tokens: usage?.totalTokens });
}

function sessionOf(): StoredSession {
  const names = { id: 's1', appName: 'app', userId: 'user' };
  return { ...names, state: {}, history: [], createdAtMs: 0, updatedAtMs: 0 };
}

/** A journal that does at its own pace, or not at all, what it is told, and counts what is under way. */
class UnreliableJournal implements Journal {
  readonly kept = sessionOf();
  readonly open: { readonly changes: SessionChanges; readonly done: PromiseWithResolvers<void> }[] = [];
  most = 0;

  record(_key: SessionKey, changes: SessionChanges): Promise<void> {
    const done = Promise.withResolvers<void>();
    this.open.push({ changes, done });
    this.most = Math.max(this.most, this.open.length);
    return done.promise;
  }

  settle(well: boolean): void {
    const write = this.open.shift();
    if (write === undefined) return;
    if (!well) {
      write.done.reject(new Error('refused'));
      return;
    }
    const { history, resumption, ...rest } = write.changes;
    if (history !== undefined) {
      expect(history.from).toBeLessThanOrEqual(this.kept.history.length);
      this.kept.history.splice(history.from, Infinity, ...history.contents);
    }
    if (resumption !== undefined) this.kept.resumption = resumption ?? undefined;
    Object.assign(this.kept, rest);
    write.done.resolve();
  }
}

const ACTS = [
  'say',
  'cut',
  'replace',
  'handle',
  'lose handle',
  'state',
  'usage',
  'wait',
  'ok',
  'fail',
] as const;

class Run {
  readonly clock = new VirtualClock();
  readonly journal = new UnreliableJournal();
  readonly session = sessionOf();
  readonly owner = Lifetime.root({ name: 'session', clock: this.clock });
  readonly writer = new JournalWriter({
    journal: this.journal,
    session: this.session,
    owner: this.owner,
    pendingCalls: () => [],
  });
  /** Everything the session has ever been. */
  readonly moments = new Set([imageOf(this.session)]);
  #count = 0;

  async act(act: (typeof ACTS)[number]): Promise<void> {
    if (act === 'wait') await this.clock.advance(JOURNAL_RETRY_MS);
    else if (act === 'ok' || act === 'fail') this.journal.settle(act === 'ok');
    else this.#change(act);
    await this.clock.settle();
    expect([...this.moments]).toContain(imageOf(this.journal.kept));
  }

  #change(act: Exclude<(typeof ACTS)[number], 'wait' | 'ok' | 'fail'>): void {
    const { session } = this;
    this.#count += 1;
    const said = textContent('user', String(this.#count));
    if (act === 'say') session.history.push(said);
    else if (act === 'cut') session.history.pop();
    else if (act === 'replace') session.history.splice(-2, 1, said);
    else if (act === 'handle') {
      session.resumption = { handle: `h${this.#count}`, atMs: 0, modelId: 'm', historyLength: 0 };
    } else if (act === 'lose handle') session.resumption = undefined;
    else if (act === 'state') session.state['step'] = this.#count;
    else session.usage = { promptTokens: 0, responseTokens: 0, totalTokens: this.#count };
    this.moments.add(imageOf(session));
    this.writer.changed();
  }

  /** The store is well again, and the session ends. */
  async end(): Promise<void> {
    const closed = this.owner.close();
    for (let turn = 0; turn < 5; turn += 1) {
      this.journal.settle(true);
      await this.clock.settle();
    }
    const { durationMs } = await closed;
    expect(durationMs).toBe(0);
  }
}

describe('JournalWriter, races', () => {
  it('H3 races: whatever fails when, what is kept was the session at some moment, and at the end it is the last', async () => {
    await check(
      asyncProperty(array(constantFrom(...ACTS), { maxLength: 40 }), async (acts) => {
        const run = new Run();
        for (const act of acts) await run.act(act);
        await run.end();
        expect(imageOf(run.journal.kept)).toBe(imageOf(run.session));
        expect(run.journal.most).toBeLessThanOrEqual(1);
        expect(run.clock.pendingTimers).toBe(0);
      }),
      { numRuns: 300 },
    );
  });
});
