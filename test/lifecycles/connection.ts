import type { LiveEvent } from '../../src/protocol/index.ts';
import { textContent } from '../../src/protocol/index.ts';
import { ScriptedModel } from '../../src/testing/scripted-model.ts';
import { Scene } from './scene.ts';
import type { SceneOptions } from './scene.ts';
import type { Way, WayTable } from './way-table.ts';
import { NOTHING, code, codeOf, duration, eventName, list } from './words.ts';

/** What a connection's end is told as: the events about it, and the error it ends the session with. */
function told(events: readonly LiveEvent[], error: unknown): string {
  const about = events.filter(({ type }) => type === 'connection' || type === 'goAway' || type === 'warning');
  return list([...about.map(eventName), ...(error === undefined ? [] : [codeOf(error)])]);
}

function seenBy({ provider }: Scene): string {
  if (provider.dials === 0) return 'no dial';
  if (provider.ended === undefined) return NOTHING;
  const { code: closeCode, reason } = provider.ended;
  return `${closeCode}${reason === '' ? '' : ` ${code(reason)}`}`;
}

interface ConnectionWay {
  readonly name: string;
  readonly options?: SceneOptions;
  readonly why: string;
  ask(scene: Scene): unknown;
}

/** Ends the session with it. */
function ends({ name, options, why, ask }: ConnectionWay): Way {
  return {
    name,
    why,
    play: async () => {
      const scene = await Scene.connected(options);
      const before = scene.events.length;
      const { report, tookMs } = await scene.end(ask);
      return [
        told(scene.events.slice(before), report.error),
        code(report.reason),
        seenBy(scene),
        duration(tookMs),
      ];
    },
  };
}

/** Leaves the connection as it is; the session is still live a minute later. */
function goesOn({ name, options, why, ask }: ConnectionWay): Way {
  return {
    name,
    why,
    play: async () => {
      const scene = await Scene.connected(options);
      const before = scene.events.length;
      ask(scene);
      await scene.clock.advance(60_000);
      const { state } = scene.session;
      const seen = told(scene.events.slice(before), undefined);
      await scene.end(({ session }) => session.close());
      return [seen, `goes on, ${code(state)}`, NOTHING, NOTHING];
    },
  };
}

const waiting = { provider: { accepts: false } };

/** A model whose code throws when it is given text. */
class Picky extends ScriptedModel {
  constructor() {
    super({
      onInput: ({ type }) => {
        if (type === 'content') throw new TypeError('no words, please');
      },
    });
  }
}

export const connection: WayTable = {
  name: 'connection',
  columns: ['how it ends', 'told as', 'the session', 'the model sees', 'took', 'what it means'],
  ways: [
    ends({
      name: 'the dial is never answered [R11]',
      options: waiting,
      why: 'Dial, handshake and setup have one bound; the socket is destroyed at it.',
      ask: () => undefined,
    }),
    ends({
      name: 'its setup is never answered [R11]',
      options: waiting,
      why: 'The same bound.',
      ask: ({ provider }) => provider.accept({ setup: false }),
    }),
    ends({
      name: 'the instructions never come [R11]',
      options: { instructions: () => new Promise(() => undefined) },
      why: 'They count in the same bound, and nothing is dialled before they are there.',
      ask: () => undefined,
    }),
    ends({
      name: 'nobody listens there',
      options: waiting,
      why: 'The scope of the dial is aborted.',
      ask: ({ provider }) => provider.refuse(),
    }),
    ends({
      name: 'the dial is refused, 401',
      options: waiting,
      why: 'The error of the model is the one of `start()` and of the report.',
      ask: ({ provider }) => provider.refuse(401),
    }),
    ends({
      name: 'the dial is refused, 429',
      options: waiting,
      why: 'As above.',
      ask: ({ provider }) => provider.refuse(429),
    }),
    ends({
      name: 'it ends before it was ready',
      options: waiting,
      why: 'As above; what the model said decides the error.',
      ask: ({ provider }) => {
        provider.accept({ setup: false });
        provider.close(1007, 'Request contains an invalid argument.');
      },
    }),
    ends({
      name: 'the session ends while it dials',
      options: waiting,
      why: 'The dial is destroyed; one that succeeds later is let go of by its scope.',
      ask: ({ session }) => session.close(),
    }),
    ...[1000, 1001, 1011, 1012].map((closeCode) =>
      ends({
        name: `it ends by itself, ${closeCode} [R1]`,
        why: closeCode === 1000 ? 'Whatever its code: nobody here had asked for it.' : 'As above.',
        ask: ({ provider }: Scene) => provider.close(closeCode),
      }),
    ),
    ends({
      name: 'it goes without a word [R1]',
      why: 'As above.',
      ask: ({ provider }) => provider.vanish(),
    }),
    ends({
      name: 'the session closes',
      why: 'Deliveries are cut off, then the socket says goodbye.',
      ask: ({ session }) => session.close(),
    }),
    ends({
      name: 'the session closes, and the model does not answer [C10]',
      options: { provider: { answersClose: false } },
      why: 'It is destroyed after a second.',
      ask: ({ session }) => session.close(),
    }),
    ends({
      name: 'the session aborts',
      why: 'The socket is destroyed.',
      ask: ({ session }) => session.abort(),
    }),
    goesOn({
      name: 'it says goAway',
      why: 'The application is told, and it is swapped; see the model leg.',
      ask: ({ provider }) => provider.say({ goAway: { timeLeft: '50s' } }),
    }),
    goesOn({
      name: 'it cannot take an input',
      options: { model: new Picky() },
      why: 'The input is dropped.',
      ask: ({ session }) => session.queue.sendContent(textContent('user', 'Hello')),
    }),
  ],
};
