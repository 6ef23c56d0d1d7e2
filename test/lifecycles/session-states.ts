import { textContent } from '../../src/protocol/index.ts';
import type { AgentSessionState } from '../../src/session/index.ts';
import { Scene } from './scene.ts';
import type { Way, WayTable } from './way-table.ts';
import { code, codeOf, duration } from './words.ts';

/** The verbs, as what is done with a scene. */
const VERBS = {
  '`close()`': ({ session }: Scene): unknown => session.close(),
  '`abort()`': ({ session }: Scene): unknown => session.abort(),
  '`queue.close()`': ({ session }: Scene): unknown => session.queue.close(),
  '`drain()`': ({ session }: Scene): unknown => session.drain(),
};

const ANSWER_MS = 3_000;

/** A model that is asked, answers after three seconds, and never answers a goodbye. */
async function asked(): Promise<Scene> {
  const scene = await Scene.connected({
    provider: {
      answersClose: false,
      heard: (_message, provider) =>
        void scene.clock.setTimer(ANSWER_MS, () => provider.say({ serverContent: { turnComplete: true } })),
    },
  });
  scene.session.queue.sendContent(textContent('user', 'Hello'));
  await scene.clock.settle();
  return scene;
}

/** How a scene is brought into each state. */
const STATES: Readonly<Record<AgentSessionState, () => Promise<Scene>>> = {
  new: async () => new Scene(),
  connecting: async () => {
    const scene = new Scene({ provider: { accepts: false } });
    scene.session.queue.sendContent(textContent('user', 'Hello'));
    await scene.start();
    return scene;
  },
  live: asked,
  draining: async () => {
    const scene = await asked();
    void scene.session.drain();
    return scene;
  },
  closing: async () => {
    const scene = await asked();
    void scene.session.close('task_completed');
    return scene;
  },
  closed: async () => {
    const scene = await asked();
    void scene.session.abort('task_completed');
    await scene.clock.settle();
    return scene;
  },
};

/** What one verb does in one state. */
async function met(reach: () => Promise<Scene>, verb: (scene: Scene) => unknown): Promise<string> {
  const scene = await reach();
  const wasClosed = scene.session.state === 'closed';
  const connecting = scene.session.state === 'connecting';
  let next = '';
  const { report, tookMs } = await scene.end(() => {
    verb(scene);
    next = scene.session.state;
  });
  if (wasClosed) return `the report: ${code(report.reason)}`;
  return [
    `${code(next)}, ${code(report.reason)} ${tookMs === 0 ? 'at once' : `after ${duration(tookMs)}`}`,
    ...(report.unsent.requests === 0 ? [] : [`${report.unsent.requests} unsent`]),
    ...(connecting ? [`${code('start()')} ${codeOf(scene.started?.error)}`] : []),
  ].join('; ');
}

function inState([state, reach]: [string, () => Promise<Scene>]): Way {
  return {
    name: code(state),
    play: async () => {
      const row: string[] = [];
      for (const verb of Object.values(VERBS)) row.push(await met(reach, verb));
      return row;
    },
  };
}

export const sessionStates: WayTable = {
  name: 'session-states',
  columns: ['state', ...Object.keys(VERBS)],
  ways: Object.entries(STATES).map(inState),
};
