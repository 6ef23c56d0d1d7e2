import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { VirtualClock, seededRandom, systemClock } from '../../src/kernel/index.ts';
import type { Clock } from '../../src/kernel/index.ts';
import { gemini } from '../../src/models/gemini/index.ts';
import type { LiveEvent } from '../../src/protocol/index.ts';
import { textContent } from '../../src/protocol/index.ts';
import { Agent, LiveRequestQueue, runLive } from '../../src/session/index.ts';
import type {
  LiveModel,
  LiveRun,
  RunLiveOptions,
  SessionCloseReport,
  Tool,
} from '../../src/session/index.ts';
import { GeminiEmulator } from '../../src/testing/index.ts';
import type { Fault, GeminiEmulatorOptions } from '../../src/testing/index.ts';
import { frameName, markedFrame, silentFrame } from './received.ts';
import { VirtualDrive } from './virtual-drive.ts';
import { WatchedTransport } from './watched-transport.ts';

/** How a session ended, as its user saw it. */
export interface Ending {
  readonly outcome: 'returned' | `threw ${string}`;
  readonly error?: unknown;
  /** Undefined where there was no session of ours to report, as in another process. */
  readonly report?: Pick<SessionCloseReport, 'reason' | 'unsent' | 'steps'> | undefined;
}

export interface StageRunOptions extends Partial<RunLiveOptions> {
  readonly tools?: readonly Tool[];
}

/** Long enough for anything that happens at all on the loopback of a loaded machine. */
const PATIENCE_MS = 10_000;

/** In virtual time everything is waited for: a scenario that waits in vain is ended by the session's idle limit. */
const VIRTUAL_PATIENCE_MS = 24 * 60 * 60_000;

/** How long nothing may happen after an end, in virtual time (clause C10). */
export const AFTERWARDS_MS = 2 * 60 * 60_000;

/** An answer is not waited for at the speed it would be heard. */
const HURRY = { generationSpeed: 100, playbackSpeed: 100 };

const MODEL = 'gemini-2.5-flash-native-audio-latest';

/** An emulated provider, and a session on it in the hands of a scenario. */
export class Stage implements AsyncDisposable {
  readonly emulator: GeminiEmulator;
  readonly clock: Clock;
  queue = new LiveRequestQueue();
  readonly leaver = new AbortController();
  readonly events: LiveEvent[] = [];
  /** What the user has said through `say` and `speak`. */
  readonly said: string[] = [];
  /** What other owners of a scenario, a server say, still hold after their end. */
  readonly resources: string[] = [];
  readonly #virtual: { readonly clock: VirtualClock; readonly drive: VirtualDrive } | undefined;
  readonly #transport = new WatchedTransport();
  readonly #runs: LiveRun[] = [];
  #looping: Promise<Ending> | undefined;
  #ending: Ending | undefined;
  /** How many events `event` has looked at. */
  #seen = 0;
  #frames = 0;
  /** What the provider has seen and done, and the latest handle it has issued. */
  #recorded = 0;
  #issuedHandle: string | undefined;
  #heardOfEvents: (() => void)[] = [];
  #askedAtMs: number;
  #endedAtMs: number | undefined;

  static async set(provider: GeminiEmulatorOptions = {}, time: 'real' | 'virtual' = 'real'): Promise<Stage> {
    const clock = time === 'virtual' ? new VirtualClock() : undefined;
    const emulator = await GeminiEmulator.start({
      ...HURRY,
      record: true,
      recordAudio: true,
      ...(clock === undefined ? {} : { clock, random: seededRandom(2) }),
      ...provider,
    });
    return new Stage(emulator, clock);
  }

  private constructor(emulator: GeminiEmulator, clock: VirtualClock | undefined) {
    this.emulator = emulator;
    this.clock = clock ?? systemClock;
    this.#askedAtMs = this.clock.now();
    emulator.recorder?.follow((line) => this.#record(line));
    if (clock === undefined) return;
    const activity = (): number => this.#recorded + this.events.length;
    const pendingDials = (): number => this.#transport.pending;
    this.#virtual = { clock, drive: new VirtualDrive(clock, { activity, pendingDials }) };
  }

  model(name = MODEL): LiveModel {
    const { transport, url: baseUrl } = { transport: this.#transport, url: this.emulator.url };
    return gemini({ model: name, apiKey: 'any', baseUrl, transport });
  }

  agent(tools: readonly Tool[] = []): Agent {
    return new Agent({ name: 'clerk', tools: [...tools] });
  }

  /** A live session on the emulated provider; nothing is dialled before it is looped over. */
  run(options: StageRunOptions = {}): LiveRun {
    const { tools, ...rest } = options;
    const run = runLive({
      agent: this.agent(tools),
      model: this.model(),
      queue: this.queue,
      signal: this.leaver.signal,
      ...(this.#virtual === undefined ? {} : { clock: this.clock, random: seededRandom(1) }),
      ...rest,
    });
    this.#runs.push(run);
    return run;
  }

  /** The end is asked for now: the duration counts from the last time this was called, or from the beginning. */
  asked(): void {
    this.#askedAtMs = this.clock.now();
  }

  /** It is over; called by `loop`, and by scenarios that do without it. The last call counts. */
  over(): void {
    this.#endedAtMs = this.clock.now();
  }

  get durationMs(): number {
    return (this.#endedAtMs ?? this.clock.now()) - this.#askedAtMs;
  }

  /** When each dial was made, heard by the provider or refused, in milliseconds after the first one. */
  get dialsAtMs(): number[] {
    const heard = [...this.emulator.connections].map(({ times }) => times.dialledAtMs);
    const dials = [...heard, ...this.#transport.refusedAtMs].toSorted((a, b) => a - b);
    return dials.map((atMs) => atMs - (dials[0] ?? atMs));
  }

  /** What is held outside memory, by name; nothing, when all has ended. */
  held(): string[] {
    return [...this.resources, ...this.#runs.flatMap((run) => run.session.resources())];
  }

  /** Loops to the end; `react` sees every event, and leaves the loop by returning 'leave' or throwing. */
  async loop(run: LiveRun, react: (event: LiveEvent) => 'leave' | void = () => undefined): Promise<Ending> {
    try {
      for await (const event of run) {
        this.events.push(event);
        this.#tellOfEvents();
        if (react(event) === 'leave') break;
      }
      this.over();
      return { outcome: 'returned', report: await run.closed };
    } catch (error) {
      this.over();
      return { outcome: `threw ${nameOf(error)}`, error, report: await run.closed };
    }
  }

  /** Loops to the end, and meanwhile does `end` once `condition` holds at the provider. */
  async loopUntil(
    run: LiveRun,
    condition: (emulator: GeminiEmulator) => boolean,
    end: () => void,
  ): Promise<Ending> {
    const looping = this.loop(run);
    await this.provider(condition);
    this.asked();
    end();
    return looping;
  }

  /** Loops to the end, and does `end` as soon as the connection is ready. */
  loopUntilConnected(run: LiveRun, end: () => void): Promise<Ending> {
    return this.loop(run, (event) => {
      if (!isConnected(event)) return;
      this.asked();
      end();
    });
  }

  /** Begins a call: a run that is looped over beside the scenario, until `ended`, `hangUp` or `leave`. */
  begin(options: StageRunOptions = {}): LiveRun {
    // A second call after the first was hung up.
    if (this.queue.isClosed) this.queue = new LiveRequestQueue();
    this.#ending = undefined;
    const run = this.run(options);
    this.#looping = this.loop(run).then((ending) => {
      this.#ending = ending;
      this.#tellOfEvents();
      return ending;
    });
    return run;
  }

  /** The same, and waits until it is connected. */
  async connected(options: StageRunOptions = {}): Promise<LiveRun> {
    const run = this.begin(options);
    await this.event(isConnected);
    return run;
  }

  /** Waits for the end of the call, which comes by itself. */
  async ended(): Promise<Ending> {
    assert.ok(this.#looping, 'no call was begun');
    return await this.#looping;
  }

  /** The user hangs up. */
  hangUp(): Promise<Ending> {
    this.asked();
    this.queue.close();
    return this.ended();
  }

  /** Who loops leaves, wherever it is parked. */
  async leave(): Promise<Ending> {
    this.asked();
    await this.#runs.at(-1)?.return();
    const ending = await this.ended();
    this.over();
    return ending;
  }

  /** Waits for the first event like this behind the last one that was waited for. */
  async event(isWanted: (event: LiveEvent) => boolean): Promise<LiveEvent> {
    for (;;) {
      const index = this.events.findIndex((event, at) => at >= this.#seen && isWanted(event));
      const event = this.events[index];
      if (event !== undefined) {
        this.#seen = index + 1;
        return event;
      }
      const { outcome } = this.#ending ?? {};
      assert.equal(outcome, undefined, `the call is over (${outcome}), and something was waited for`);
      await new Promise<void>((resolve) => this.#heardOfEvents.push(resolve));
    }
  }

  /** Waits until the connection is told to be in this state. */
  told(state: Extract<LiveEvent, { type: 'connection' }>['state']): Promise<LiveEvent> {
    return this.event((event) => event.type === 'connection' && event.state === state);
  }

  /** Lets time pass. */
  passes(ms: number): Promise<void> {
    return new Promise((resolve) => void this.clock.setTimer(ms, resolve));
  }

  /** Waits until something holds at the provider. */
  provider(condition: (emulator: GeminiEmulator) => boolean): Promise<void> {
    const timeoutMs = this.#virtual === undefined ? PATIENCE_MS : VIRTUAL_PATIENCE_MS;
    return this.emulator.waitFor(condition, { timeoutMs });
  }

  /** The user writes; whatever becomes of the connections, the model must know it in the end, once. */
  say(text: string): void {
    this.said.push(text);
    this.queue.sendContent(textContent('user', text));
  }

  /** The user speaks for so long, in marked frames; the same holds for each of them. */
  speak(frames: number): void {
    for (let count = 0; count < frames; count += 1) {
      this.#frames += 1;
      this.said.push(frameName(this.#frames));
      this.queue.sendAudio(markedFrame(this.#frames));
    }
  }

  /** The microphone stays open, and nobody speaks. */
  beQuiet(frames: number): void {
    for (let count = 0; count < frames; count += 1) this.queue.sendAudio(silentFrame());
  }

  /** Asks, and waits until the answer is whole and the session has the handle the provider issued for it. */
  async ask(question: string): Promise<void> {
    this.say(question);
    await this.answered();
  }

  /** Waits until an answer is whole and the session has the handle the provider issued for it. */
  async answered(): Promise<void> {
    await this.event((event) => event.type === 'turnComplete' && !event.interrupted);
    await this.handleKnown();
  }

  async handleKnown(): Promise<void> {
    const session = this.#runs.at(-1)?.session.session;
    for (let turns = 0; session?.resumption?.handle !== this.#issuedHandle; turns += 1) {
      assert.ok(turns < 10_000 && this.#ending === undefined, 'the session does not keep the handle');
      await turn();
    }
  }

  /** Does this to the connection that is there. */
  inject(fault: Fault): void {
    assert.ok(this.emulator.inject(fault) > 0, `there is no connection for '${fault.type}' to happen to`);
  }

  /** The n-th dial will meet this. */
  meets(connection: number, what: Fault): void {
    this.emulator.addFaults([{ when: { connection }, what }]);
  }

  /** Whether the call is over. */
  get isOver(): boolean {
    return this.#ending !== undefined;
  }

  #record(line: string): void {
    this.#recorded += 1;
    const handle = /"event":"out".*"newHandle":"([^"]+)"/.exec(line)?.[1];
    if (handle !== undefined) this.#issuedHandle = handle;
  }

  #tellOfEvents(): void {
    const waiting = this.#heardOfEvents;
    this.#heardOfEvents = [];
    for (const resolve of waiting) resolve();
  }

  /** Whether every upstream socket goes, within what a peer that does not answer may cost. */
  async socketsGone(): Promise<number> {
    const { emulator } = this;
    await emulator.waitFor(() => emulator.sockets === 0, { timeoutMs: 3_000 }).catch(() => undefined);
    return emulator.sockets;
  }

  /** Lets two virtual hours pass; what is wrong with them, in sentences. Real time has none to spare. */
  async afterwards(): Promise<string[]> {
    if (this.#virtual === undefined) return [];
    const { clock, drive } = this.#virtual;
    await drive.stop();
    const [dials, events] = [this.dialsAtMs.length, this.events.length];
    await clock.advance(AFTERWARDS_MS);
    await drive.quiet();
    const dialled = this.dialsAtMs.length - dials;
    const told = this.events.length - events;
    return [
      ...(dialled === 0 ? [] : [`In the two hours after its end it dialled ${dialled} times.`]),
      ...(told === 0 ? [] : [`In the two hours after its end it told ${told} events.`]),
      ...(clock.pendingTimers === 0 ? [] : [`${clock.pendingTimers} timers are still set.`]),
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#runs.map((run) => run.session.abort()));
    await this.#virtual?.drive.stop();
    await this.emulator.abort();
  }
}

export function isConnected(event: LiveEvent): boolean {
  return event.type === 'connection' && event.state === 'connected';
}

/** The stable code of an error of ours, the name of any other. */
export function nameOf(error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: unknown };
  return typeof code === 'string' ? code : String(name);
}
