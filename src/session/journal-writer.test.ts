import { describe, expect, it } from 'vitest';
import { isCollected } from '../../test/support/garbage.ts';
import { Lifetime, VirtualClock } from '../kernel/index.ts';
import type { CloseReport, Logger } from '../kernel/index.ts';
import { textContent } from '../protocol/index.ts';
import type { FunctionCall } from '../protocol/index.ts';
import {
  JOURNAL_COALESCE_MS,
  JOURNAL_OVERDUE_MS,
  JOURNAL_RETRY_MS,
  JournalWriter,
} from './journal-writer.ts';
import type { Journal, SessionChanges, SessionKey, StoredSession } from './session-store.ts';

const said = (text: string) => textContent('user', text);

/** A journal that answers when it is told to. */
class ScriptedJournal implements Journal {
  readonly writes: SessionChanges[] = [];
  readonly keys: SessionKey[] = [];
  /** How the writes to come end; one that hangs is settled by hand. */
  answer: 'ok' | 'fail' | 'throw' | 'hang' = 'ok';
  readonly hanging: PromiseWithResolvers<void>[] = [];

  record(key: SessionKey, changes: SessionChanges): Promise<void> {
    this.keys.push(key);
    this.writes.push(changes);
    if (this.answer === 'throw') throw new TypeError('secret words');
    if (this.answer === 'fail') return Promise.reject(new TypeError('secret words'));
    if (this.answer === 'ok') return Promise.resolve();
    const write = Promise.withResolvers<void>();
    this.hanging.push(write);
    return write.promise;
  }
}

class Scene {
  readonly clock = new VirtualClock();
  readonly journal = new ScriptedJournal();
  readonly lines: string[] = [];
  readonly owner: Lifetime;
  readonly session: StoredSession = {
    id: 's1',
    appName: 'app',
    userId: 'user',
    state: { step: 1 },
    history: [said('before')],
    createdAtMs: 0,
    updatedAtMs: 0,
  };
  readonly writer: JournalWriter;
  calls: readonly FunctionCall[] = [];

  constructor() {
    const keep =
      (level: string) =>
      (message: string, fields = {}) =>
        void this.lines.push(`${level} ${message} ${JSON.stringify(fields)}`);
    const log: Logger = { debug: () => {}, info: keep('info'), warn: keep('warn'), error: keep('error') };
    this.owner = Lifetime.root({ name: 'session s1', clock: this.clock, log });
    const { journal, session, owner } = this;
    this.writer = new JournalWriter({ journal, session, owner, pendingCalls: () => this.calls });
  }

  /** A scene whose state has been written, so that the writes to come hold what the test changes. */
  static async open(): Promise<Scene> {
    const scene = new Scene();
    scene.writer.changed();
    await scene.clock.advance(JOURNAL_COALESCE_MS);
    expect(scene.writes).toEqual([{ state: { step: 1 } }]);
    scene.writes.length = 0;
    return scene;
  }

  get writes(): SessionChanges[] {
    return this.journal.writes;
  }

  say(text: string): void {
    this.session.history.push(said(text));
    this.writer.changed();
  }

  keepHandle(handle: string): void {
    const { length: historyLength } = this.session.history;
    this.session.resumption = { handle, atMs: 5, modelId: 'm', historyLength };
    this.writer.changed();
  }
}

describe('JournalWriter, what it writes', () => {
  it('H3 journal: a turn and a handle are on their way at once, together when they come together', async () => {
    const scene = await Scene.open();
    scene.say('Hello');
    scene.keepHandle('h');
    expect(scene.writes).toEqual([]);
    await scene.clock.settle();
    expect(scene.writes).toEqual([
      { history: { from: 1, contents: [said('Hello')] }, resumption: scene.session.resumption },
    ]);
    expect(scene.journal.keys.at(-1)).toEqual({ appName: 'app', userId: 'user', id: 's1' });
  });

  it('waits a moment with what can wait, and takes it along with what cannot', async () => {
    const scene = await Scene.open();
    scene.session.state['step'] = 2;
    scene.writer.changed();
    await scene.clock.advance(JOURNAL_COALESCE_MS - 1);
    scene.calls = [{ id: 'c', name: 'look', args: {} }];
    scene.writer.changed();
    expect(scene.writes).toEqual([]);
    await scene.clock.advance(1);
    expect(scene.writes).toEqual([{ state: { step: 2 }, pendingCalls: scene.calls }]);
    scene.session.state['step'] = 3;
    scene.writer.changed();
    scene.say('Hello');
    await scene.clock.settle();
    expect(scene.writes[1]).toEqual({
      state: { step: 3 },
      history: { from: 1, contents: [said('Hello')] },
    });
    expect(scene.clock.pendingTimers).toBe(0);
  });

  it('finds what was taken out, put in its place, and forgotten', async () => {
    const scene = await Scene.open();
    scene.keepHandle('h');
    scene.say('a turn');
    scene.say('that is cut');
    await scene.clock.settle();
    scene.session.history.splice(2, 1);
    scene.session.resumption = undefined;
    scene.writer.changed();
    await scene.clock.settle();
    expect(scene.writes[1]).toEqual({ history: { from: 2, contents: [] }, resumption: null });
    scene.session.history.splice(1, 1, said('another'), said('one more'));
    scene.writer.changed();
    await scene.clock.settle();
    expect(scene.writes[2]).toEqual({ history: { from: 1, contents: [said('another'), said('one more')] } });
  });

  it('takes the position of the audio along, and writes nothing for it alone but at the end', async () => {
    const scene = await Scene.open();
    scene.session.inputMs = 20;
    scene.writer.changed();
    await scene.clock.advance(60_000);
    expect(scene.writes).toEqual([]);
    scene.session.usage = { promptTokens: 1, responseTokens: 1, totalTokens: 2 };
    scene.writer.changed();
    await scene.clock.advance(JOURNAL_COALESCE_MS);
    expect(scene.writes).toEqual([{ usage: scene.session.usage, inputMs: 20 }]);
    scene.session.inputMs = 40;
    await scene.writer.flush();
    expect(scene.writes[1]).toEqual({ inputMs: 40 });
  });

  it('writes a state as it was, and all the rest where it is no JSON', async () => {
    const scene = await Scene.open();
    scene.journal.answer = 'hang';
    scene.session.state['list'] = ['one'];
    scene.say('Hello');
    await scene.clock.settle();
    (scene.session.state['list'] as string[]).push('two');
    expect(scene.writes[0]?.state).toEqual({ step: 1, list: ['one'] });
    scene.journal.answer = 'ok';
    scene.session.state['self'] = scene.session.state;
    scene.say('again');
    scene.journal.hanging[0]?.resolve();
    await scene.clock.settle();
    expect(scene.writes[1]).toEqual({ history: { from: 2, contents: [said('again')] } });
    expect(scene.lines).toEqual([`warn session state is no JSON {"owner":"session s1"}`]);
  });
});

describe('JournalWriter, a store in trouble', () => {
  it('H3 order: one write at a time, and the next one has everything since', async () => {
    const scene = await Scene.open();
    scene.journal.answer = 'hang';
    scene.say('1');
    await scene.clock.settle();
    scene.say('2');
    scene.keepHandle('h');
    scene.say('3');
    await scene.clock.advance(1_000);
    expect(scene.writes).toHaveLength(1);
    scene.journal.hanging[0]?.resolve();
    await scene.clock.settle();
    expect(scene.writes.slice(1)).toEqual([
      { history: { from: 2, contents: [said('2'), said('3')] }, resumption: scene.session.resumption },
    ]);
  });

  it.each(['fail', 'throw'] as const)(
    'H3 failure (%s): it is told once, without what was written, and all of it is tried again',
    async (answer) => {
      const scene = await Scene.open();
      scene.journal.answer = answer;
      scene.say('1');
      await scene.clock.settle();
      scene.say('2');
      // Every change would be a blow for a store that is down.
      await scene.clock.advance(JOURNAL_RETRY_MS - 1);
      expect(scene.writes).toHaveLength(1);
      await scene.clock.advance(JOURNAL_RETRY_MS);
      expect(scene.writes).toHaveLength(2);
      scene.journal.answer = 'ok';
      await scene.clock.advance(JOURNAL_RETRY_MS);
      expect(scene.writes[2]).toEqual({ history: { from: 1, contents: [said('1'), said('2')] } });
      expect(scene.lines).toEqual([
        'warn journal write failed {"owner":"session s1","error":"TypeError"}',
        'info journal goes on {"owner":"session s1"}',
      ]);
      expect(scene.clock.pendingTimers).toBe(0);
    },
  );

  it('tells of a write that hangs, once', async () => {
    const scene = await Scene.open();
    scene.journal.answer = 'hang';
    scene.say('1');
    await scene.clock.advance(JOURNAL_OVERDUE_MS * 3);
    expect(scene.lines).toEqual([`warn journal write hangs {"owner":"session s1","afterMs":10000}`]);
  });
});

describe('JournalWriter, at the end', () => {
  const close = async (scene: Scene): Promise<CloseReport> => {
    const closed = scene.owner.close('over');
    await scene.clock.advance(5_000);
    return closed;
  };

  it('H3 close: what is left is written before the owner has closed, and what comes after it too', async () => {
    const scene = await Scene.open();
    const unwind = async (): Promise<void> => {
      await scene.clock.settle();
      scene.say('its last word');
    };
    scene.owner.own('work', {}, { phase: 'settle', close: unwind });
    scene.session.state['step'] = 9;
    scene.writer.changed();
    const { steps } = await close(scene);
    expect(steps).toContainEqual(expect.objectContaining({ name: 'journal', outcome: 'done' }));
    expect(scene.session.history).toHaveLength(2);
    const history = { from: 1, contents: [said('its last word')] };
    expect(scene.writes).toEqual([{ history, state: { step: 9 } }]);
    scene.say('an afterthought');
    expect(scene.writes[1]).toEqual({ history: { from: 2, contents: [said('an afterthought')] } });
    expect(scene.clock.pendingTimers).toBe(0);
  });

  it('flush waits for the write under way and for the one after it, and for nothing when there is nothing', async () => {
    const scene = await Scene.open();
    await scene.writer.flush();
    expect(scene.writes).toEqual([]);
    scene.journal.answer = 'hang';
    scene.say('1');
    await scene.clock.settle();
    scene.say('2');
    let isFlushed = false;
    void scene.writer.flush().then(() => (isFlushed = true));
    scene.journal.hanging[0]?.resolve();
    await scene.clock.settle();
    expect({ isFlushed, writes: scene.writes.length }).toEqual({ isFlushed: false, writes: 2 });
    scene.journal.hanging[1]?.resolve();
    await scene.clock.settle();
    expect(isFlushed).toBe(true);
  });

  it('C4 close: a store that hangs is named in the report, and holds nothing up', async () => {
    const scene = await Scene.open();
    scene.journal.answer = 'hang';
    scene.say('1');
    const { steps, durationMs } = await close(scene);
    expect(steps).toEqual([expect.objectContaining({ name: 'journal', outcome: 'abandoned' })]);
    expect(durationMs).toBe(1_000);
    scene.say('2');
    scene.journal.hanging[0]?.resolve();
    await scene.clock.settle();
    expect(scene.writes).toHaveLength(1);
  });

  it('C3 close: a store that fails is named in the report, and what it said is the cause of what is told', async () => {
    const scene = await Scene.open();
    scene.journal.answer = 'fail';
    scene.say('1');
    const { steps } = await close(scene);
    const cause: unknown = expect.any(TypeError);
    const error: unknown = expect.objectContaining({ code: 'HOLDFAST_STORE', cause });
    expect(steps).toEqual([expect.objectContaining({ name: 'journal', outcome: 'failed', error })]);
    expect(String(steps[0]?.error)).not.toContain('secret words');
    expect(scene.clock.pendingTimers).toBe(0);
  });

  it('H3 close: a write that fails while it closes is tried once more', async () => {
    const scene = await Scene.open();
    scene.journal.answer = 'hang';
    scene.say('1');
    await scene.clock.settle();
    const closed = scene.owner.close();
    await scene.clock.settle();
    scene.journal.answer = 'ok';
    scene.journal.hanging[0]?.reject(new TypeError('refused'));
    const { steps } = await closed;
    expect(steps).toContainEqual(expect.objectContaining({ name: 'journal', outcome: 'done' }));
    expect(scene.writes[1]).toEqual({ history: { from: 1, contents: [said('1')] } });
  });

  it('C2 abort: the last write is begun and not waited for', async () => {
    const scene = await Scene.open();
    scene.journal.answer = 'hang';
    scene.say('1');
    const { durationMs } = await scene.owner.abort();
    expect(durationMs).toBe(0);
    expect(scene.writes).toEqual([{ history: { from: 1, contents: [said('1')] } }]);
    await scene.writer.flush();
  });

  it('C6 hang: the live session is collected while a store never answers', async () => {
    const journal = new ScriptedJournal();
    journal.answer = 'hang';
    const clock = new VirtualClock();
    const forgotten = async (end: (owner: Lifetime) => unknown): Promise<WeakRef<object>> => {
      const owner = Lifetime.root({ name: 'session', clock });
      const { session } = new Scene();
      const live = { calls: [] };
      const writer = new JournalWriter({ journal, session, owner, pendingCalls: () => live.calls });
      writer.changed();
      await clock.advance(JOURNAL_COALESCE_MS);
      await end(owner);
      await clock.advance(5_000);
      session.history.push(said('an afterthought'));
      writer.changed();
      return new WeakRef(live);
    };
    const closed = await forgotten((owner) => void owner.close());
    expect(await isCollected(closed)).toBe(true);
    const aborted = await forgotten((owner) => void owner.abort());
    expect(await isCollected(aborted)).toBe(true);
    expect(journal.hanging).toHaveLength(2);
  });
});
