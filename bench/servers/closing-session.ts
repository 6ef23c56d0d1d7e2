import { Agent, AgentSession, AudioChunk, gemini, tool } from 'holdfast';
import { cannedAudio } from '../canned-audio.ts';
import { serveOperations } from '../process/operations.ts';
import { UP_BYTES } from '../wires.ts';

/** A process with nothing in it but one live session on a provider, so that its sockets can be counted. */

const [providerPort] = process.argv.slice(2);
const frame = AudioChunk.fromPcm(cannedAudio(UP_BYTES), 16_000);

export const CLOSE_STATES = [
  'connecting',
  'waiting for setup',
  'idle',
  'streaming',
  'tool in flight',
  'half-open peer',
] as const;
export type CloseState = (typeof CLOSE_STATES)[number];

export interface CloseTimes {
  /** From `close()` until the process had no socket any more. */
  readonly socketMs: number;
  /** From `close()` until its promise resolved. */
  readonly reportMs: number;
  /** Steps that did not end within their bound, by name. */
  readonly overrun: readonly string[];
}

/** What tells that a session has come where it is to be closed. */
const BEFORE_CLOSE_MS = 60;

function newSession(): AgentSession {
  const hang = tool({
    name: 'hang',
    description: 'Never answers.',
    parameters: { type: 'object', properties: {} },
    execute: () => new Promise<never>(() => undefined),
  });
  return new AgentSession({
    agent: new Agent({
      name: 'closing',
      tools: [hang],
      model: gemini({
        model: 'gemini-2.5-flash',
        apiKey: 'bench',
        baseUrl: `http://127.0.0.1:${providerPort}`,
      }),
    }),
  });
}

const sockets = (): number =>
  process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap' || name === 'TCPConnectWrap')
    .length;

async function measureClose(state: CloseState): Promise<CloseTimes> {
  const session = newSession();
  const started = session.start().catch(() => undefined);
  if (state !== 'connecting' && state !== 'waiting for setup') await started;
  const streaming = setInterval(() => state === 'streaming' && session.queue.sendAudio(frame), 5);
  await new Promise((resolve) => setTimeout(resolve, BEFORE_CLOSE_MS));
  if (sockets() === 0) throw new Error(`there is no socket to close in '${state}'`);
  const beganAtMs = performance.now();
  const report = session.close().then((told) => ({ told, reportMs: performance.now() - beganAtMs }));
  clearInterval(streaming);
  while (sockets() > 0) await new Promise((resolve) => setImmediate(resolve));
  const socketMs = performance.now() - beganAtMs;
  const { told, reportMs } = await report;
  const overrun = told.steps
    .filter(({ outcome }) => outcome !== 'done')
    .map(({ name, outcome }) => `${name} ${outcome}`);
  return { socketMs, reportMs, overrun };
}

const operations = { close: measureClose };
export type ClosingOperations = typeof operations;

serveOperations(operations);
