import { Lifetime } from '../../../src/kernel/index.ts';
import type { Random } from '../../../src/kernel/index.ts';
import { cascade } from '../../../src/models/cascade/index.ts';
import { AudioChunk, textContent } from '../../../src/protocol/index.ts';
import { Agent, AgentSession, AgentTask, handoff } from '../../../src/session/index.ts';
import type { Journal, LiveModel, Tool } from '../../../src/session/index.ts';
import { Recorder } from '../../../src/speech/index.ts';
import { LogBook } from '../../support/live-rig.ts';
import { Refusal, hangTool, never, refuse, withClient } from '../parts.ts';
import type { CyclePlan } from './plan.ts';
import type { World } from './world.ts';

/** What is known of a cycle when it is over; nothing of it holds the session. */
export interface CycleEnd {
  readonly ref: WeakRef<AgentSession>;
  readonly tookMs: number;
  /** Steps that were not done, without what numbers them. */
  readonly named: readonly string[];
  readonly problems: readonly string[];
}

const RATE_HZ = 16_000;
const FRAME = 320;
const refused = (): Promise<never> => Promise.reject(new Refusal('it will not'));

/** Opens a call, does with it what is planned, and ends it. */
export async function playCycle(plan: CyclePlan, world: World, random: Random): Promise<CycleEnd> {
  const book = new LogBook();
  const time = world.clock === undefined ? {} : { clock: world.clock };
  const owner = Lifetime.root({ name: 'cycle', log: book.log, closeTimeoutMs: plan.closeTimeoutMs, ...time });
  standBeside(plan, owner);
  const journal = storeOf(plan);
  const session = new AgentSession({
    agent: agentOf(plan, world),
    model: modelOf(plan, world, random),
    owner,
    random,
    closeTimeoutMs: plan.closeTimeoutMs,
    ...(journal === undefined ? {} : { journal }),
  });
  listen(plan, session);
  let closes = 0;
  session.on('close', () => void (closes += 1));
  const now = (): number => owner.clock.now();

  if (plan.isStarted) session.start().catch(() => undefined);
  await world.passes(20);
  for (const { act, thenMs } of plan.acts) {
    if (session.isOpen) perform(act, session);
    await world.passes(thenMs);
  }
  const hardMs = await end(plan, world, session, owner, now);
  // Its services may have ended it before it was asked to.
  const tookMs = (await ended(session, world, plan, now)) - hardMs;
  void owner.close();
  await ended(owner, world, plan, now);
  const isClosed = session.state === 'closed' && owner.state.tag === 'closed';
  const steps = isClosed ? (await owner.closed).steps : [];
  const report = isClosed ? await session.closed : undefined;
  const named = [...steps, ...(report?.steps ?? [])].filter(({ outcome }) => outcome !== 'done');
  const pair = book.lines
    .filter(({ level, message }) => level === 'info' && (message === 'closing' || message === 'closed'))
    .map(({ message, fields }) => `${message} ${String(fields['reason'])}`);
  const allowedMs = plan.closeTimeoutMs + world.slackMs();
  const held = [...session.resources(), ...owner.resources()];
  const problems = [
    ...(isClosed ? [] : [`It is ${session.state}, and its owner ${owner.state.tag}.`]),
    ...(tookMs <= allowedMs ? [] : [`It took ${Math.round(tookMs)} ms of ${plan.closeTimeoutMs}.`]),
    ...(closes === 1 ? [] : [`It emitted close ${closes} times.`]),
    ...(held.length === 0 ? [] : [`It holds ${held.join(', ')}.`]),
    ...(pair.length === 2 && pair[0]?.replace('closing', 'closed') === pair[1]
      ? []
      : [`The log says ${pair.join(', ')}.`]),
  ];
  return { ref: new WeakRef(session), tookMs, named: named.map(({ name }) => shape(name)), problems };
}

/** Waits until it has closed, as long as that may take. Gives when that was. */
async function ended(
  what: AgentSession | Lifetime,
  world: World,
  { closeTimeoutMs }: CyclePlan,
  now: () => number,
): Promise<number> {
  let endedAtMs: number | undefined;
  what.closed.then(
    () => (endedAtMs = now()),
    () => undefined,
  );
  const untilMs = now() + closeTimeoutMs + world.slackMs();
  await world.passes(0);
  while (endedAtMs === undefined && now() < untilMs) await world.passes(5);
  return endedAtMs ?? Infinity;
}

/** Ends it as planned. Gives when the last of the verbs was used. */
async function end(
  { ending, betweenMs }: CyclePlan,
  world: World,
  session: AgentSession,
  owner: Lifetime,
  now: () => number,
): Promise<number> {
  const [first, second] = ENDING[ending];
  first(session, owner);
  if (second === undefined) return now();
  await world.passes(betweenMs);
  second(session, owner);
  return now();
}

type Verb = (session: AgentSession, owner: Lifetime) => unknown;

const ENDING: Record<CyclePlan['ending'], readonly [Verb, Verb?]> = {
  close: [(session) => session.close()],
  'close twice': [(session) => [session.close(), session.close()]],
  abort: [(session) => session.abort()],
  'participant left': [(session) => session.close('participant_disconnected')],
  'drain, close': [(session) => session.drain(), (session) => session.close()],
  'close, abort': [(session) => session.close(), (session) => session.abort()],
  'drain, abort': [(session) => session.drain(), (session) => session.abort()],
  'queue, close': [(session) => session.queue.close(), (session) => session.close()],
  'owner closes': [(_session, owner) => owner.close()],
  'owner aborts': [(_session, owner) => owner.abort()],
};

function perform(act: CyclePlan['acts'][number]['act'], session: AgentSession): void {
  switch (act) {
    case 'say':
      if (!session.queue.isClosed) session.queue.sendContent(textContent('user', 'Hello there'));
      break;
    case 'speak':
      for (let count = 0; count < 20; count += 1) {
        session.queue.sendAudio(AudioChunk.fromSamples(new Int16Array(FRAME).fill(4_000), RATE_HZ));
      }
      break;
    case 'interrupt':
      session.interrupt();
      break;
    case 'word for word':
      // A realtime model has no word for it, and says so.
      if (session.model.capabilities.saysText === true) session.say('One moment please.');
      break;
    case 'report playout':
      session.playout.reported(100);
      break;
    case 'run a task':
      session.runTask(new AgentTask({ name: 'address', onEnter: () => never() })).catch(() => undefined);
      break;
    case 'wait':
      break;
  }
}

function modelOf(plan: CyclePlan, world: World, random: Random): LiveModel {
  switch (plan.kind) {
    case 'cascade':
      return cascade({
        stt: world.stt(plan.stt),
        llm: world.llm(plan.llm),
        tts: world.tts(plan.tts),
        reconnect: { delaysMs: [50], jitterMs: 0, maxAttempts: 3 },
        random,
      });
    case 'realtime':
      return world.realtime(plan.stt);
    case 'realtime, its client hangs':
      return withClient(world.realtime(plan.stt), () => never());
    case 'realtime, its client throws':
      return withClient(world.realtime(plan.stt), refused);
  }
}

function toolOf({ tool }: CyclePlan, world: World): Tool {
  switch (tool) {
    case 'honours nothing':
      return hangTool((context) => never(context));
    case 'rejects late':
      return hangTool(() => lateRejection(world));
    case 'hands over':
      return hangTool(() => handoff(new Agent({ name: 'other', onExit: () => 'bye' })));
    case 'runs a task':
      return hangTool(({ runTask }) => runTask(new AgentTask({ name: 'consent' })));
    case 'answers':
      return hangTool(() => 'done');
  }
}

function agentOf(plan: CyclePlan, world: World): Agent {
  const plain = { name: 'clerk', tools: [toolOf(plan, world)] };
  switch (plan.agent) {
    case 'plain':
      return new Agent(plain);
    case 'on-enter hangs':
      return new Agent({ ...plain, onEnter: (context) => never(context) });
    case 'on-exit hangs':
      return new Agent({ ...plain, onExit: (context) => never(context) });
    case 'on-exit throws':
      return new Agent({ ...plain, onExit: refuse });
    case 'toolset never opens':
      return new Agent({ ...plain, toolsets: [{ name: 'orders', open: (scope) => never(scope) }] });
    case 'toolset never closes':
      return new Agent({ ...plain, toolsets: [{ name: 'orders', open: openOrders }] });
  }
}

async function openOrders(scope: Lifetime): Promise<readonly Tool[]> {
  scope.own('database', {}, { close: (it) => never(it) });
  return [];
}

/** Rejects on the clock of the world, whatever anybody says meanwhile. */
function lateRejection(world: World): Promise<never> {
  return new Promise((_, reject) => {
    const rejectNow = (): void => reject(new Error('too late'));
    if (world.clock === undefined) setTimeout(rejectNow, 2_500);
    else world.clock.setTimer(2_500, rejectNow);
  });
}

function storeOf({ store }: CyclePlan): Journal | undefined {
  switch (store) {
    case 'none':
      return undefined;
    case 'takes all':
      return { record: async () => undefined };
    case 'hangs':
      return { record: (key, changes) => never(key, changes) };
    case 'fails':
      return { record: refused };
  }
}

function standBeside({ beside }: CyclePlan, owner: Lifetime): void {
  switch (beside) {
    case 'nothing':
      break;
    case 'recorder hangs': {
      const recorder = new Recorder({
        owner,
        to: { name: 'memory', write: () => never(), close: () => never() },
      });
      recorder.user(new Int16Array(FRAME), RATE_HZ);
      break;
    }
    case 'room hangs':
      owner.own('room', {}, { close: (room) => never(room) });
      break;
    case 'room throws':
      owner.own('room', {}, { close: refuse, abort: refused });
      break;
    case 'detach throws':
      owner.own('output', {}, { stop: refuse });
      break;
  }
}

function listen({ listeners }: CyclePlan, session: AgentSession): void {
  switch (listeners) {
    case 'quiet':
      break;
    case 'never settle':
      session.on('event', () => never());
      session.on('close', () => never());
      break;
    case 'throw':
      session.on('event', refuse);
      session.on('speechStarted', refuse);
      session.on('speechEnded', refuse);
      break;
    case 'reject':
      session.on('event', refused);
      session.on('close', refused);
      break;
    case 'throw at the close':
      session.on('close', refuse);
      break;
  }
}

function shape(name: string): string {
  return name.replaceAll(/session [^/]+\//g, '').replaceAll(/\d+/g, '…');
}
