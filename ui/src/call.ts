import {
  HoldfastError,
  Lifetime,
  Microphone,
  Playback,
  ServerConnectionError,
  connectSession,
  createSession,
  describeError,
} from 'holdfast/client';
import type { LiveClient, ReceivedAudio, ServerHello } from 'holdfast/client';
import type { CallEnding } from './call-ending.ts';
import { microphoneProblemOf } from './microphone-problem.ts';
import type { CallAction, ClientEvent } from './page-action.ts';
import { soundLevel } from './sound-level.ts';

export interface CallOptions {
  /** The address of the server; the worklets lie beside the page. */
  readonly url: string;
  readonly appName: string;
  readonly userId: string;
  /** Who this is, on a server that wants to know. */
  readonly token?: string;
  /** False: the call begins without a microphone, and what the user says is typed. */
  readonly withMicrophone: boolean;
  readonly tell: (action: CallAction) => void;
}

/** What realtime models take and give; where the server's hello says otherwise, both are opened anew. */
const USUAL_INPUT_RATE_HZ = 16_000;
const USUAL_OUTPUT_RATE_HZ = 24_000;

/** Whether what is said is taken: also while the connection is lost, and kept then. */
function isUsable({ state }: LiveClient): boolean {
  return state.tag === 'open' || state.tag === 'reconnecting';
}

/** The first code a server chooses itself (RFC 6455 7.4.2): it says more than any message about the network. */
const FIRST_OWN_CLOSE_CODE = 4_000;

/**
 * One call, from the click to its end. One lifetime owns its microphone, loudspeaker and connection, so that whichever
 * way it ends nothing of it is left; `ended` resolves when that is so.
 */
export class Call {
  readonly ended: Promise<void>;
  readonly #options: CallOptions;
  readonly #lifetime = Lifetime.root({ name: 'call' });
  readonly #beganWallMs = this.#lifetime.clock.wallTime();
  readonly #beganMs = this.#lifetime.clock.now();
  /** The first ending counts: the others follow from it. */
  #ending: CallEnding | undefined;
  #client: LiveClient | undefined;
  /** Also while it is opening. */
  #microphone: Promise<Microphone> | undefined;
  #playback: Playback | undefined;
  /** Typed before the connection was open. */
  readonly #unsent: string[] = [];

  /** Begins at once. Make it in the handler of a click: browsers give neither microphone nor sound without one. */
  constructor(options: CallOptions) {
    this.#options = options;
    this.#tell({ type: 'callBegan', atMs: this.#now(), withMicrophone: options.withMicrophone });
    this.ended = this.#lifetime.closed.then(() => {
      const ending = this.#ending ?? { kind: 'hungUp' };
      this.#tell({ type: 'callEnded', atMs: this.#now(), ending });
    });
    this.#open().catch((error: unknown) => this.#fail(error));
  }

  hangUp(): void {
    this.#end({ kind: 'hungUp' });
  }

  /** The page goes: there is no time to be polite. */
  leave(): void {
    void this.#lifetime.abort('the page was left');
  }

  /** Says something in writing; before the connection is open it waits for it. */
  write(text: string): void {
    if (!this.#lifetime.isOpen) return;
    this.#tell({ type: 'typed', atMs: this.#now(), text });
    if (this.#client !== undefined && isUsable(this.#client)) this.#sendText(this.#client, text);
    else this.#unsent.push(text);
  }

  /** Uses the microphone, in a call that goes on without it. */
  unmute(): void {
    this.#tell({ type: 'microphoneOpening' });
    this.#openMicrophone(this.#client?.inputRateHz ?? USUAL_INPUT_RATE_HZ).catch((error: unknown) => {
      const problem = microphoneProblemOf(error, globalThis.isSecureContext) ?? 'other';
      this.#tell({ type: 'microphoneClosed', problem });
    });
  }

  /** Lets the microphone go, so that the browser's recording sign goes out too, and goes on with the call. */
  mute(): void {
    this.#closeMicrophone();
    if (this.#client !== undefined && isUsable(this.#client)) this.#client.audioStreamEnd();
    this.#tell({ type: 'microphoneClosed' });
  }

  async #open(): Promise<void> {
    const { withMicrophone } = this.#options;
    // Both in the turn of the click. The server comes after them: who refuses the microphone never reached it.
    await Promise.all([
      this.#openPlayback(USUAL_OUTPUT_RATE_HZ),
      withMicrophone ? this.#openMicrophone(USUAL_INPUT_RATE_HZ) : undefined,
    ]);
    const { signal } = this.#lifetime;
    const { id: sessionId } = await createSession({ ...this.#server, signal });
    const client = this.#connect(sessionId);
    await client.opened;
    for (const text of this.#unsent.splice(0)) this.#sendText(client, text);
    if (client.hello !== undefined) await this.#followRates(client.hello);
  }

  /** Where the session is, whose it is, and what opens it. */
  get #server(): Pick<CallOptions, 'url' | 'appName' | 'userId' | 'token'> {
    const { url, appName, userId, token } = this.#options;
    return { url, appName, userId, ...(token === undefined ? {} : { token }) };
  }

  #connect(sessionId: string): LiveClient {
    const client = this.#lifetime.own('connection', connectSession({ ...this.#server, sessionId }), {
      close: (held) => held.close(),
      abort: (held) => held.abort(),
    });
    this.#client = client;
    client.on('hello', (hello) => {
      if (client.state.tag === 'connecting') this.#tell({ type: 'hello', atMs: this.#now(), hello });
    });
    client.on('returned', (back) => {
      // What is still to be heard belongs to a call that has ended, and so do its positions.
      if (!back.resumed) this.#playback?.interrupt();
      this.#tell({ type: 'serverBack', atMs: this.#now(), back });
    });
    client.on('event', (event) => this.#hear(event));
    client.on('audio', (audio) => this.#play(audio));
    client.on('audioDropped', (dropped) => {
      this.#playback?.skip(dropped);
      const rateHz = client.hello?.output.rateHz ?? USUAL_OUTPUT_RATE_HZ;
      this.#tell({ type: 'audioDropped', atMs: this.#now(), durationMs: (dropped.samples * 1_000) / rateHz });
    });
    client.on('goAway', (goAway) => this.#tell({ type: 'goAway', atMs: this.#now(), goAway }));
    client.on('error', (fault) => this.#tell({ type: 'refused', atMs: this.#now(), fault }));
    client.on('state', (state) => {
      if (state.tag === 'reconnecting') {
        const { attempt, delayMs } = state;
        this.#tell({ type: 'serverLost', atMs: this.#now(), attempt, delayMs });
      }
      // Before its hello a connection has not ended but failed, and `opened` knows why.
      if (state.tag !== 'closed' || client.hello === undefined) return;
      this.#end({ kind: 'closed', code: state.code, reason: state.reason });
    });
    return client;
  }

  #sendText(client: LiveClient, text: string): void {
    try {
      client.sendText(text);
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      // The server has just begun to close; its end follows and is told by itself.
      this.#tell({ type: 'refused', atMs: this.#now(), fault: { code: error.code, message: error.message } });
    }
  }

  #hear(event: ClientEvent): void {
    // Whatever came before this event is not to be heard any more, and what comes after it has not come yet.
    if (event.type === 'interrupted') this.#playback?.interrupt(event.positionSamples);
    this.#tell({ type: 'event', atMs: this.#now(), event });
  }

  #play(audio: ReceivedAudio): void {
    const { samples, positionSamples, rateHz } = audio;
    this.#playback?.play(audio);
    this.#tell({
      type: 'audioReceived',
      atMs: this.#now(),
      durationMs: (samples.length * 1_000) / rateHz,
      endSamples: positionSamples + samples.length,
    });
  }

  async #followRates({ input, output }: ServerHello): Promise<void> {
    if (output.rateHz !== USUAL_OUTPUT_RATE_HZ) {
      await this.#playback?.close();
      await this.#openPlayback(output.rateHz);
    }
    if (input.rateHz !== USUAL_INPUT_RATE_HZ && this.#microphone !== undefined) {
      this.#closeMicrophone();
      await this.#openMicrophone(input.rateHz);
    }
  }

  async #openPlayback(rateHz: number): Promise<void> {
    this.#playback = await this.#own(
      'loudspeaker',
      Playback.start({
        rateHz,
        workletUrl: new URL('playback-worklet.js', this.#options.url).href,
        onPlayout: (positionSamples) => {
          this.#client?.reportPlayout(positionSamples);
          this.#tell({ type: 'playedTo', positionSamples });
        },
      }),
    );
  }

  async #openMicrophone(rateHz: number): Promise<void> {
    const microphone = Microphone.start({
      rateHz,
      workletUrl: new URL('microphone-worklet.js', this.#options.url).href,
      onFrame: (samples) => this.#speak(samples, rateHz),
    });
    this.#microphone = microphone;
    await this.#own('microphone', microphone);
    this.#tell({ type: 'microphoneOpened' });
  }

  #closeMicrophone(): void {
    const microphone = this.#microphone;
    if (microphone === undefined) return;
    this.#microphone = undefined;
    microphone
      .then((held) => held.close())
      // One that never opened is nothing to close; why it did not is told where it was asked for.
      .catch(() => undefined)
      .finally(() => this.#lifetime.release(microphone));
  }

  /** Owns what has only begun to open: a call that ends meanwhile waits for it and lets it go. */
  async #own<Device extends Microphone | Playback>(name: string, opening: Promise<Device>): Promise<Device> {
    void this.#lifetime.own(name, opening, { close: async (held) => (await held).close() });
    try {
      return await opening;
    } catch (error) {
      this.#lifetime.release(opening);
      throw error;
    }
  }

  #speak(samples: Int16Array, rateHz: number): void {
    if (this.#client?.sendAudio(samples) !== true) return;
    const durationMs = (samples.length * 1_000) / rateHz;
    this.#tell({ type: 'audioSent', atMs: this.#now(), durationMs, level: soundLevel(samples) });
  }

  #fail(error: unknown): void {
    const problem = microphoneProblemOf(error, globalThis.isSecureContext);
    const end = error instanceof ServerConnectionError ? error.end : undefined;
    if (problem !== undefined) this.#end({ kind: 'noMicrophone', problem });
    else if (end !== undefined && end.code >= FIRST_OWN_CLOSE_CODE) this.#end({ kind: 'closed', ...end });
    else this.#end({ kind: 'failed', message: describeError(error) });
  }

  #end(ending: CallEnding): void {
    if (this.#ending !== undefined || this.#lifetime.isClosing) return;
    this.#ending = ending;
    this.#tell({ type: 'callEnding' });
    void this.#lifetime.close(ending.kind);
  }

  #tell(action: CallAction): void {
    this.#options.tell(action);
  }

  /** Wall time that does not jump: what the list shows and what latencies are counted with. */
  #now(): number {
    return this.#beganWallMs + (this.#lifetime.clock.now() - this.#beganMs);
  }
}
