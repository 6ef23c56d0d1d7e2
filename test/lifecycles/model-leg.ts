import assert from 'node:assert/strict';
import type { LiveEvent } from '../../src/protocol/index.ts';
import { AudioChunk, textContent } from '../../src/protocol/index.ts';
import type { AgentSession } from '../../src/session/index.ts';
import type { Json, Provider } from './provider.ts';
import { Scene } from './scene.ts';
import type { SceneOptions } from './scene.ts';
import type { Way, WayTable } from './way-table.ts';
import { NOTHING, code, codeOf, duration, list } from './words.ts';

const HANDLE: Json = { sessionResumptionUpdate: { newHandle: 'h1', resumable: true } };

const NOT_FOUND = 'BidiGenerateContent session not found';

/** Longer than any connection may be, and than all attempts take. */
const WHILE_MS = 11 * 60_000;

interface LegWay {
  readonly name: string;
  readonly why: string;
  readonly options?: SceneOptions;
  /** Whether the provider has issued a handle. Default true. */
  readonly withHandle?: boolean;
  /** Ends the connection, or lets time do it. */
  ask(scene: Scene): unknown;
}

/** An answer, what its prompt has cost, and perhaps a handle. */
function answer(promptTokenCount: number, ...handle: readonly Json[]): readonly Json[] {
  return [
    { serverContent: { modelTurn: { parts: [{ text: 'It is open.' }] } } },
    { serverContent: { generationComplete: true } },
    {
      serverContent: { turnComplete: true },
      usageMetadata: { promptTokenCount, totalTokenCount: promptTokenCount },
    },
    ...handle,
  ];
}

/** A session in which one question was answered. */
async function answered({ options = {}, withHandle = true }: LegWay): Promise<Scene> {
  // Minutes in which nobody speaks are what some of the ways are about.
  const scene = await Scene.connected({ limits: { idleTimeoutMs: Infinity }, ...options });
  scene.session.queue.sendContent(textContent('user', 'Is it open?'));
  await scene.said(...answer(2_000, ...(withHandle ? [HANDLE] : [])));
  return scene;
}

/** Each state of the connection in one word, and attempts that fail one after the other in one. */
function told(events: readonly LiveEvent[]): string {
  const states = events.flatMap((event) => {
    if (event.type === 'connection') return [event.state];
    return event.type === 'goAway' ? [code('goAway')] : [];
  });
  return list(states).replace(/(?:waiting, connecting(?:, |$)){2,}/g, (attempts) => {
    const times = attempts.split('waiting').length - 1;
    return `(waiting, connecting) × ${times}${attempts.endsWith(', ') ? ', ' : ''}`;
  });
}

async function endOf(session: AgentSession): Promise<string> {
  const { reason, error } = await session.closed;
  return error === undefined ? code(reason) : `${code(reason)}, ${codeOf(error)}`;
}

/** What the latest setup brought along. */
function broughtAlong({ setups, heard }: Provider, heardBefore: number): string {
  if (setups.length < 2) return NOTHING;
  const { sessionResumption } = (setups.at(-1) ?? {}) as { sessionResumption?: { handle?: string } };
  if (sessionResumption?.handle !== undefined) return 'the handle';
  const turns = heard.slice(heardBefore).flatMap(({ clientContent }) => {
    return (clientContent as { turns?: readonly unknown[] } | undefined)?.turns ?? [];
  });
  return `${turns.length} turns`;
}

function way(leg: LegWay): Way {
  const { name, why, ask } = leg;
  return {
    name,
    why,
    play: async () => {
      const scene = await answered(leg);
      const { provider, session, clock } = scene;
      const before = { events: scene.events.length, heard: provider.heard.length, atMs: clock.wallTime() };
      await ask(scene);
      await clock.settle();
      const isOver = (): boolean => session.state === 'closed';
      const isReplaced = (): boolean => session.state === 'live' && provider.setups.length > 1;
      for (let ms = 0; ms < WHILE_MS && !isOver() && !isReplaced(); ms += 100) await clock.advance(100);
      const events = scene.events.slice(before.events);
      const last = events.findLast(({ type }) => type === 'connection');
      assert.ok(last, 'nothing is told');
      const brought = broughtAlong(provider, before.heard);
      const tookMs = last.atMs - before.atMs;
      const state = isOver() ? await endOf(session) : `goes on, ${code(session.state)}`;
      if (!isOver()) await scene.end(({ session: live }) => live.close());
      return [told(events), state, brought, duration(Math.round(tookMs))];
    },
  };
}

/** The next dial is accepted, and its setup answered with this close. */
function closesSetup({ provider }: Scene, closeCode: number, reason: string): void {
  provider.meets = (next) => {
    next.accept({ setup: false });
    next.close(closeCode, reason);
    next.meets = (later) => later.accept();
  };
}

export const modelLeg: WayTable = {
  name: 'model-leg',
  columns: [
    'what happens to the connection',
    'told as',
    'the session',
    'the next one is given',
    'after',
    'what it means',
  ],
  ways: [
    way({
      name: 'it goes without a word [R1]',
      why: 'Resumed: the provider knows the conversation.',
      ask: ({ provider }) => provider.vanish(),
    }),
    way({
      name: 'the same, and the next dials find nobody [R3]',
      why: 'Each attempt waits for its delay, and up to a second of jitter.',
      ask: ({ provider }) => {
        let dials = 0;
        provider.meets = (next) => {
          dials += 1;
          if (dials <= 3) next.refuse();
          else next.accept();
        };
        provider.vanish();
      },
    }),
    way({
      name: 'the same, and nobody ever comes back [R5]',
      why: 'The error has the last failure as its cause, and the meters in it.',
      ask: ({ provider }) => {
        provider.meets = (next) => next.refuse();
        provider.vanish();
      },
    }),
    way({
      name: 'the same, and the next dial is refused with 401 [R1]',
      why: 'What another attempt cannot cure is told at once.',
      ask: ({ provider }) => {
        provider.meets = (next) => next.refuse(401);
        provider.vanish();
      },
    }),
    way({
      name: 'the same, and its handle is rejected [R6]',
      why: 'Started afresh at once, with the history.',
      ask: (scene) => {
        closesSetup(scene, 1008, NOT_FOUND);
        scene.provider.vanish();
      },
    }),
    way({
      name: 'the same, and each that takes the handle is closed at once [R6]',
      why: 'After the second one it is the handle that is given up.',
      ask: ({ provider }) => {
        let dials = 0;
        provider.meets = (next) => {
          dials += 1;
          next.accept();
          if (dials <= 2) next.close(1011, 'Internal error encountered.');
        };
        provider.vanish();
      },
    }),
    way({
      name: 'it goes without a word, and there is no handle [R2]',
      withHandle: false,
      why: 'The default for models that issue handles.',
      ask: ({ provider }) => provider.vanish(),
    }),
    way({
      name: "the same with `withoutHandle: 'reseed'` [R2]",
      withHandle: false,
      options: { reconnect: { withoutHandle: 'reseed' } },
      why: 'The default for models that issue none.',
      ask: ({ provider }) => provider.vanish(),
    }),
    way({
      name: 'the same with `reconnect: false`',
      options: { reconnect: false },
      why: 'What is lost stays lost.',
      ask: ({ provider }) => provider.vanish(),
    }),
    way({
      name: 'the model says goAway [R7]',
      why: 'Swapped at the next turn’s end: the old one says goodbye before the new one is dialled.',
      ask: ({ provider }) => provider.say({ goAway: { timeLeft: '50s' } }),
    }),
    way({
      name: 'it reaches the age limit of its provider [R7]',
      why: 'The same, a minute before it.',
      ask: () => undefined,
    }),
    way({
      name: 'it was resumed, and the model has forgotten the conversation [R6]',
      why: 'Told by what the next prompt costs; its handles are not taken.',
      ask: async (scene) => {
        scene.provider.vanish();
        await scene.clock.settle();
        await scene.said(...answer(50, HANDLE));
        await scene.clock.advance(5_000);
      },
    }),
    way({
      name: 'its peer is no longer there [R12]',
      options: { provider: { answersPings: false, answersClose: false } },
      why: 'Asked after 15 s, and given 60 s to answer.',
      ask: () => undefined,
    }),
    way({
      name: 'what is sent does not leave [R12]',
      why: 'For ten seconds, with something to send.',
      ask: ({ provider, session }) => {
        provider.isFull = true;
        session.queue.sendAudio(AudioChunk.fromPcm(new Uint8Array(640), 16_000));
      },
    }),
    way({
      name: 'it goes, and the session closes before the next attempt [C10]',
      why: 'Nothing is dialled any more.',
      ask: async ({ provider, session, clock }) => {
        provider.meets = (next) => next.refuse();
        provider.vanish();
        await clock.settle();
        void session.close();
      },
    }),
  ],
};
