import { Lifetime, VirtualClock } from '../../src/kernel/index.ts';
import { textContent } from '../../src/protocol/index.ts';
import { Scene, deafLookup } from './scene.ts';
import type { SceneEnd, SceneOptions } from './scene.ts';
import type { Way, WayTable } from './way-table.ts';
import { NOTHING, code, codeOf, duration, list, steps } from './words.ts';

function cells({ report, events, tookMs }: SceneEnd): string[] {
  const error = report.error === undefined ? '' : `, ${codeOf(report.error)}`;
  const { requests, audioMs } = report.unsent;
  const unsent = requests === 0 ? NOTHING : `${requests}${audioMs === 0 ? '' : ` (${audioMs} ms of audio)`}`;
  return [code(report.reason) + error, list(events), steps(report.steps), duration(tookMs), unsent];
}

interface SessionWay {
  readonly name: string;
  readonly options?: SceneOptions;
  ask(scene: Scene): unknown;
}

/** In the middle of everything. */
function busy({ name, options, ask }: SessionWay): Way {
  return { name, play: async () => cells(await (await Scene.busy(options)).end(ask)) };
}

/** Before it is connected; `ask` is called when all that is due has happened. */
function connecting({ name, options, ask }: SessionWay): Way {
  return {
    name,
    play: async () => {
      const scene = new Scene(options);
      await scene.start();
      return cells(await scene.end(ask));
    },
  };
}

/** With an owner, which ends in some way. */
function owned(name: string, ask: (owner: Lifetime) => unknown): Way {
  return {
    name,
    play: async () => {
      const clock = new VirtualClock();
      const owner = Lifetime.root({ name: 'owner', clock });
      return cells(await (await Scene.busy({ clock, owner })).end(() => ask(owner)));
    },
  };
}

export const agentSession: WayTable = {
  name: 'agent-session',
  columns: ['how it ends', 'reason, error', 'events until `close`', 'steps of the report', 'took', 'unsent'],
  ways: [
    busy({ name: '`close()`', ask: ({ session }) => session.close() }),
    busy({ name: '`close(reason)`', ask: ({ session }) => session.close('task_completed') }),
    busy({ name: '`abort()`', ask: ({ session }) => session.abort() }),
    busy({ name: '`drain()`', ask: ({ session }) => session.drain() }),
    busy({
      name: '`drain()`, then `close()` [C2]',
      ask: ({ session }) => {
        void session.drain();
        void session.close();
      },
    }),
    busy({ name: '`queue.close()` [C11]', ask: ({ session }) => session.queue.close() }),
    busy({ name: '`{ close: true }` [C11]', ask: ({ session }) => session.queue.send({ close: true }) }),
    busy({
      name: '`queue.close()`, and the socket is full [C11]',
      ask: ({ session, provider }) => {
        provider.isFull = true;
        session.queue.sendContent(textContent('user', 'And?'));
        session.queue.close();
      },
    }),
    busy({
      name: '`close()`, and the model does not answer its goodbye [C10]',
      options: { provider: { answersClose: false } },
      ask: ({ session }) => session.close(),
    }),
    busy({
      name: '`close()`, and a tool ignores its signal [C4]',
      options: { tools: [deafLookup] },
      ask: ({ session }) => session.close(),
    }),
    busy({ name: 'idle limit [L]', options: { limits: { idleTimeoutMs: 1_000 } }, ask: () => undefined }),
    busy({ name: 'duration limit [L]', options: { limits: { maxDurationMs: 1_000 } }, ask: () => undefined }),
    owned('its owner closes', (owner) => owner.close('server stops')),
    owned('its owner aborts', (owner) => owner.abort('server stops')),
    busy({ name: 'the connection is lost [R1]', ask: ({ provider }) => provider.vanish() }),
    busy({
      name: 'the model ends it with an error of its own',
      ask: ({ provider }) => provider.close(1011, 'You exceeded your current quota.'),
    }),
    busy({
      name: 'the connection is lost while it drains [R1]',
      ask: ({ session, provider }) => {
        void session.drain();
        provider.vanish();
      },
    }),
    connecting({
      name: 'it is refused [R11]',
      options: { provider: { accepts: false } },
      ask: ({ provider }) => provider.refuse(401),
    }),
    connecting({
      name: 'it cannot connect in time [R11]',
      options: { provider: { accepts: false } },
      ask: () => undefined,
    }),
  ],
};
