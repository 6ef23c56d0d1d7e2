import { Lifetime, VirtualClock, seededRandom } from '../../src/kernel/index.ts';
import type { DialRefusal } from '../../src/kernel/index.ts';
import { SttLeg } from '../../src/models/cascade/stt-leg.ts';
import type { SttLegOptions } from '../../src/models/cascade/stt-leg.ts';
import type { SttEvent } from '../../src/models/cascade/transcripts.ts';
import { deepgram, livekitStt } from '../../src/models/stt/index.ts';
import { AudioChunk, decodeBase64 } from '../../src/protocol/index.ts';
import type { ConnectionEventBody } from '../../src/protocol/index.ts';
import type { SpeechToText } from '../../src/speech/index.ts';
import { MemoryTransport } from '../../src/testing/memory-transport.ts';
import type { MemoryDial, MemoryPeer, MemoryPeerHandlers } from '../../src/testing/memory-transport.ts';
import { LogBook } from './live-rig.ts';

export const FRAME_MS = 20;
const RATE_HZ = 16_000;

/** 20 ms that can be heard; `mark` tells one from another. */
export function voice(mark = 1, ms = FRAME_MS): AudioChunk {
  return AudioChunk.fromSamples(new Int16Array((RATE_HZ * ms) / 1_000).fill(1_000 + mark), RATE_HZ);
}

export function silence(ms = FRAME_MS): AudioChunk {
  return AudioChunk.fromSamples(new Int16Array((RATE_HZ * ms) / 1_000), RATE_HZ);
}

/** The service's end of one connection: what it was sent, and what it may say. */
export class SttPeer {
  readonly dial: MemoryDial;
  readonly closes: { readonly code: number; readonly reason: string }[] = [];
  #peer: MemoryPeer | undefined;

  constructor(dial: MemoryDial) {
    this.dial = dial;
  }

  accept(handlers: MemoryPeerHandlers = {}): void {
    const { closes } = this;
    this.#peer = this.dial.accept({
      ...handlers,
      closed: (code, reason) => void closes.push({ code, reason }),
    });
  }

  /** The types of the texts it was sent. */
  get said(): string[] {
    return this.#received.flatMap((frame) =>
      typeof frame === 'string' ? [String((JSON.parse(frame) as { type: string }).type)] : [],
    );
  }

  get texts(): Record<string, unknown>[] {
    return this.#received.flatMap((frame) =>
      typeof frame === 'string' ? [JSON.parse(frame) as Record<string, unknown>] : [],
    );
  }

  /** The audio it was sent, on either wire. */
  get samples(): number[] {
    return this.#received.flatMap((frame) => {
      if (typeof frame !== 'string') return samplesOf(frame);
      const { type, audio } = JSON.parse(frame) as { type: string; audio?: string };
      return type === 'input_audio' ? samplesOf(decodeBase64(audio ?? '') ?? new Uint8Array(0)) : [];
    });
  }

  get audioMs(): number {
    return (this.samples.length * 1_000) / RATE_HZ;
  }

  /** The marks of the voice it was sent, each once for every run of it. */
  get marks(): number[] {
    const marks = this.samples.filter((sample) => sample > 0).map((sample) => sample - 1_000);
    return marks.filter((mark, index) => mark !== marks[index - 1]);
  }

  say(...messages: object[]): void {
    for (const message of messages) this.#peer?.send(JSON.stringify(message));
  }

  sayText(text: string): void {
    this.#peer?.send(text);
  }

  close(code: number, reason = ''): void {
    this.#peer?.close(code, reason);
  }

  destroy(): void {
    this.#peer?.destroy();
  }

  get #received(): readonly (string | Uint8Array)[] {
    return this.#peer?.received ?? [];
  }
}

function samplesOf(pcm: Uint8Array): number[] {
  return [...AudioChunk.fromPcm(pcm, RATE_HZ).samples];
}

export interface SttRigOptions extends Partial<Omit<SttLegOptions, 'stt' | 'owner' | 'sink'>> {
  readonly wire?: 'deepgram' | 'livekit';
  /** What becomes of each dial; default: it is accepted, and set up. */
  serve?(peer: SttPeer, number: number): void;
  /** Instead of either. */
  stt?(transport: MemoryTransport): SpeechToText;
}

/** A leg to a recogniser over simulated sockets and virtual time, with all that it said written down. */
export class SttRig {
  readonly clock = new VirtualClock();
  readonly book = new LogBook();
  readonly owner = Lifetime.root({ name: 'call', clock: this.clock, log: this.book.log });
  readonly peers: SttPeer[] = [];
  readonly events: SttEvent[] = [];
  readonly connections: ConnectionEventBody[] = [];
  readonly failures: Error[] = [];
  readonly transport: MemoryTransport;
  readonly leg: SttLeg;
  /** Called for every event, as it is told. */
  onEvent: ((event: SttEvent) => void) | undefined;

  constructor({ wire = 'deepgram', serve = welcome, stt, ...options }: SttRigOptions = {}) {
    this.transport = new MemoryTransport({
      clock: this.clock,
      serve: (dial) => {
        const peer = new SttPeer(dial);
        this.peers.push(peer);
        serve(peer, this.peers.length);
      },
    });
    const { transport } = this;
    const made =
      stt?.(transport) ??
      (wire === 'deepgram'
        ? deepgram({ apiKey: 'k3y', transport })
        : livekitStt({ token: () => 't0k', transport }));
    this.leg = new SttLeg({
      stt: made,
      owner: this.owner,
      random: seededRandom(1),
      ...options,
      sink: {
        output: (event) => {
          this.events.push(event);
          this.onEvent?.(event);
        },
        connection: (event) => void this.connections.push(event),
        failed: (error) => void this.failures.push(error),
      },
    });
  }

  /** Started, and everything due has happened. */
  static async live(options: SttRigOptions = {}): Promise<SttRig> {
    const rig = new SttRig(options);
    const starting = rig.leg.start();
    await rig.clock.settle();
    await starting;
    return rig;
  }

  get peer(): SttPeer {
    const peer = this.peers.at(-1);
    if (peer === undefined) throw new Error('nobody was dialled');
    return peer;
  }

  /** Gives audio as a microphone does, a frame every 20 ms. */
  async speak(ms: number, mark = 1): Promise<void> {
    for (let spokenMs = 0; spokenMs < ms; spokenMs += FRAME_MS) {
      this.leg.hear(mark === 0 ? silence() : voice(mark));
      await this.clock.advance(FRAME_MS);
    }
  }

  /** Waits out the delay before the first attempt after a connection that had not been healthy. */
  async redialled(): Promise<void> {
    for (let waitedMs = 0; waitedMs < 3_000 && !this.leg.isConnected; waitedMs += 100)
      await this.clock.advance(100);
  }

  get finals(): string[] {
    return this.events.flatMap((event) => (event.type === 'transcript' && event.isFinal ? [event.text] : []));
  }

  get types(): string[] {
    return this.events.map(({ type }) => type);
  }

  get states(): string[] {
    return this.connections.map((event) => (event.state === 'lost' ? `lost ${event.cause}` : event.state));
  }

  /** Ends it, and sees that nothing is left. */
  async end(): Promise<string[]> {
    const closing = this.owner.close('over');
    await this.clock.advance(10_000);
    await closing;
    const dials = this.peers.length;
    await this.clock.advance(2 * 60 * 60_000);
    return [
      ...this.owner.resources(),
      ...(this.transport.openSockets === 0 ? [] : [`${this.transport.openSockets} sockets`]),
      ...(this.clock.pendingTimers === 0 ? [] : [`${this.clock.pendingTimers} timers`]),
      ...(this.peers.length === dials ? [] : ['dialled after its end']),
    ];
  }
}

/** Takes a connection, and sets it up where the wire has that. */
export function welcome(peer: SttPeer): void {
  peer.accept({
    message: (data, from) => {
      if (typeof data === 'string' && data.includes('"session.create"'))
        from.send('{"type":"session.created"}');
    },
  });
}

export function refuse(refusal: DialRefusal): (peer: SttPeer) => void {
  return (peer) => peer.dial.refuse(refusal);
}

/** Deepgram's results. Times in seconds. */
export function results(
  text: string,
  startS: number,
  endS: number,
  { final = true, end = false, finalized = false, words = true } = {},
): object {
  const said = text === '' ? [] : text.split(' ');
  const each = (endS - startS) / Math.max(1, said.length);
  return {
    type: 'Results',
    start: startS,
    duration: endS - startS,
    is_final: final,
    speech_final: end,
    ...(finalized ? { from_finalize: true } : {}),
    channel: {
      alternatives: [
        {
          transcript: text,
          confidence: 0.9,
          words: words
            ? said.map((word, index) => ({
                word: word.toLowerCase(),
                punctuated_word: word,
                start: startS + index * each,
                end: startS + (index + 1) * each,
                confidence: 0.9,
              }))
            : null,
        },
      ],
    },
  };
}
