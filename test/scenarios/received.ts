import { AudioChunk } from '../../src/protocol/index.ts';
import type { RecordedEvent } from '../../src/testing/index.ts';

/** The first sample of the n-th frame of marked speech is this and n: the record tells one from another. */
const FIRST_MARK = 3_000;

export const FRAME_MS = 20;
const RATE_HZ = 16_000;
const FRAME_SAMPLES = (RATE_HZ * FRAME_MS) / 1_000;

/** 20 ms that are loud enough to be speech, and known again wherever they turn up. */
export function markedFrame(mark: number): AudioChunk {
  const samples = Int16Array.from({ length: FRAME_SAMPLES }, (_, index) =>
    index % 40 < 20 ? FIRST_MARK + mark : -FIRST_MARK - mark,
  );
  return AudioChunk.fromSamples(samples, RATE_HZ);
}

export function silentFrame(): AudioChunk {
  return AudioChunk.fromSamples(new Int16Array(FRAME_SAMPLES), RATE_HZ);
}

/** What stands for a marked frame among what the user said. */
export function frameName(mark: number): string {
  return `frame ${mark}`;
}

/** What the provider received of a conversation, over all connections. */
export interface Received {
  /** Turns it was given as history. */
  readonly historyTurns: number;
  /** What the user said and the model does not know at the end. */
  readonly lost: readonly string[];
  /** What the user said once and the model knows twice. */
  readonly doubled: readonly string[];
  /** Whether the model knows what the user said in the order in which it was said. */
  readonly isInOrder: boolean;
  /** Speech that came more than once, whether or not the model remembers the first time. */
  readonly repeatedMs: number;
}

interface Turn {
  readonly role?: string;
  readonly parts?: readonly { readonly text?: string }[];
}

/** The fields of a message that matter here. */
interface Message {
  readonly setup?: {
    readonly sessionResumption?: { readonly handle?: string };
    readonly historyConfig?: { readonly initialHistoryInClientContent?: boolean };
  };
  readonly clientContent?: { readonly turns?: readonly Turn[]; readonly turnComplete?: boolean };
  readonly realtimeInput?: { readonly text?: string; readonly audio?: { readonly data?: string } };
  readonly sessionResumptionUpdate?: { readonly newHandle?: string };
  readonly serverContent?: {
    readonly inputTranscription?: { readonly text?: string; readonly finished?: boolean };
  };
}

/** One connection, and what the model knows on it. */
class Connection {
  known: string[] = [];
  /** Whether the history is announced, and what comes next is it. */
  isSeeding = false;
  /** Frames that no transcript has told of yet, and the transcript under way. */
  untold: string[] = [];
  transcript = '';
}

/** Reads a record as the provider would tell it: what the model of each connection knew, and where it was given it. */
class Reading {
  historyTurns = 0;
  repeatedMs = 0;
  readonly #ready: Connection[] = [];
  readonly #connections = new Map<number, Connection>();
  /** What a handle stands for. */
  readonly #handles = new Map<string, readonly string[]>();
  /** Which frames a transcript stands for, when it comes back as history. */
  readonly #transcripts = new Map<string, readonly string[]>();
  readonly #frames = new Set<string>();

  /** What the model knows on the latest connection; one that was closed before it heard anything is none. */
  get known(): readonly string[] {
    return this.#ready.findLast(({ known }) => known.length > 0)?.known ?? [];
  }

  read({ connection: number = 0, event, message }: RecordedEvent): void {
    const connection = this.#connections.get(number) ?? new Connection();
    this.#connections.set(number, connection);
    if (event === 'ready') this.#ready.push(connection);
    else if (event === 'in') this.#came(connection, message as Message);
    else if (event === 'out') this.#went(connection, message as Message);
  }

  #came(connection: Connection, { setup, clientContent, realtimeInput }: Message = {}): void {
    if (setup !== undefined) {
      connection.known = [...(this.#handles.get(setup.sessionResumption?.handle ?? '') ?? [])];
      connection.isSeeding = setup.historyConfig?.initialHistoryInClientContent === true;
    }
    if (clientContent !== undefined) this.#content(connection, clientContent);
    if (realtimeInput?.text !== undefined) connection.known.push(realtimeInput.text);
    if (realtimeInput?.audio?.data !== undefined) this.#audio(connection, realtimeInput.audio.data);
  }

  /** A user's message is one turn, and ends it; anything else is history. */
  #content(
    connection: Connection,
    { turns = [], turnComplete = false }: NonNullable<Message['clientContent']>,
  ): void {
    const isMessage = !connection.isSeeding && turnComplete && turns.length === 1;
    if (!isMessage) this.historyTurns += turns.length;
    connection.isSeeding = false;
    for (const { role, parts = [] } of turns) {
      if (role !== 'user') continue;
      const text = parts.map((part) => part.text ?? '').join('');
      connection.known.push(...(this.#transcripts.get(text) ?? [text]));
    }
  }

  #audio(connection: Connection, base64: string): void {
    const [first = 0] = AudioChunk.fromBase64(base64, RATE_HZ).samples;
    if (first <= FIRST_MARK) return;
    const name = frameName(first - FIRST_MARK);
    if (this.#frames.has(name)) this.repeatedMs += FRAME_MS;
    this.#frames.add(name);
    connection.known.push(name);
    connection.untold.push(name);
  }

  #went(connection: Connection, { sessionResumptionUpdate, serverContent }: Message = {}): void {
    const handle = sessionResumptionUpdate?.newHandle;
    if (handle !== undefined && handle !== '') this.#handles.set(handle, [...connection.known]);
    const { text, finished } = serverContent?.inputTranscription ?? {};
    if (text === undefined) return;
    connection.transcript += text;
    if (finished !== true) return;
    this.#transcripts.set(connection.transcript, connection.untold);
    connection.transcript = '';
    connection.untold = [];
  }
}

/** What became of all that the user said, by the provider's record. */
export function received(record: readonly RecordedEvent[], said: readonly string[]): Received {
  const reading = new Reading();
  for (const event of record) reading.read(event);
  const { known, historyTurns, repeatedMs } = reading;
  return {
    historyTurns,
    repeatedMs,
    lost: said.filter((one) => !known.includes(one)),
    doubled: said.filter((one) => known.indexOf(one) !== known.lastIndexOf(one)),
    isInOrder: isAscending(said.map((one) => known.indexOf(one)).filter((index) => index >= 0)),
  };
}

function isAscending(indices: readonly number[]): boolean {
  return indices.every((index, at) => at === 0 || index > (indices[at - 1] ?? index));
}
