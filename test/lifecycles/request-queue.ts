import { AudioChunk, textContent } from '../../src/protocol/index.ts';
import { LiveRequestQueue } from '../../src/session/index.ts';
import { Scene } from './scene.ts';
import type { SceneOptions } from './scene.ts';
import type { Way, WayTable } from './way-table.ts';
import { code, codeOf } from './words.ts';

const HELLO = textContent('user', 'Hello');
const frame = (): AudioChunk => AudioChunk.fromSamples(new Int16Array(320), 16_000);

function thrownBy(act: () => void): string {
  try {
    act();
    return 'is taken';
  } catch (error) {
    return `throws ${codeOf(error)}`;
  }
}

/** What sending comes to: content, then audio. */
function sends(queue: LiveRequestQueue): string[] {
  const content = thrownBy(() => queue.sendContent(HELLO));
  const audio = queue.sendAudio(frame());
  return [content, audio ? 'is taken' : `returns ${code('false')}`];
}

interface QueueWay {
  readonly name: string;
  readonly why: string;
  readonly options?: SceneOptions;
  /** Whether the socket is full when the requests come, so that the queue holds them. */
  readonly isFull?: boolean;
  close(scene: Scene): unknown;
}

/** Three requests are sent, and it closes. */
function closes({ name, why, options, isFull = false, close }: QueueWay): Way {
  return {
    name,
    why,
    play: async () => {
      const scene = new Scene(options);
      const { queue } = scene.session;
      await scene.start();
      scene.provider.isFull = isFull;
      for (let sent = 0; sent < 3; sent += 1) queue.sendContent(HELLO);
      let after: string[] = [];
      const { report } = await scene.end(() => {
        close(scene);
        after = [code(String(queue.isClosed)), ...sends(queue)];
      });
      const [isClosed = '', ...sending] = after;
      return [isClosed, `${scene.provider.heard.length} sent, ${report.unsent.requests} unsent`, ...sending];
    },
  };
}

const full: Way = {
  name: 'it is full',
  why: 'That is no end: it goes on when there is room.',
  play: async () => {
    const queue = new LiveRequestQueue({ capacity: 3 });
    for (let sent = 0; sent < 3; sent += 1) queue.sendContent(HELLO);
    const sending = sends(queue);
    queue.shift();
    queue.sendContent(HELLO);
    return [code(String(queue.isClosed)), `${queue.size} held`, ...sending];
  },
};

const shared: Way = {
  name: 'a second live session wants it',
  why: 'That one is refused when it is made; the first goes on.',
  play: async () => {
    const scene = await Scene.connected();
    const { queue } = scene.session;
    const refused = thrownBy(() => void new Scene({ queue }));
    queue.sendContent(HELLO);
    await scene.clock.settle();
    const held = `${scene.provider.heard.length} sent; the second ${refused}`;
    const row = [code(String(queue.isClosed)), held, ...sends(queue)];
    await scene.end(({ session }) => session.close());
    return row;
  },
};

const unanswered = { provider: { accepts: false } };

export const requestQueue: WayTable = {
  name: 'request-queue',
  columns: [
    'how it closes',
    '`isClosed`',
    'of three requests',
    'content after it',
    'audio after it',
    'what it means',
  ],
  ways: [
    closes({
      name: '`close()`',
      why: 'What it held is sent if there is a connection [C11].',
      close: ({ session }) => session.queue.close(),
    }),
    closes({
      name: '`send({ close: true })`',
      why: 'The same.',
      close: ({ session }) => session.queue.send({ close: true }),
    }),
    closes({
      name: '`close()` before it is connected',
      options: unanswered,
      why: 'Nothing is dialled for it any more; it is told as unsent.',
      close: ({ session }) => session.queue.close(),
    }),
    closes({
      name: '`close()`, and the socket stays full',
      isFull: true,
      why: 'For a second it is tried.',
      close: ({ session }) => session.queue.close(),
    }),
    closes({
      name: 'its live session drains',
      why: 'As `close()`.',
      close: ({ session }) => session.drain(),
    }),
    closes({
      name: 'its live session closes, the socket is full',
      isFull: true,
      why: 'It is let go of at once, and told as unsent.',
      close: ({ session }) => session.close(),
    }),
    closes({
      name: 'its live session aborts, the socket is full',
      isFull: true,
      why: 'As above.',
      close: ({ session }) => session.abort(),
    }),
    full,
    shared,
  ],
};
