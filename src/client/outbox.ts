import type { TakenInput } from '../protocol/index.ts';

/** What was said, as it goes over the wire. */
export type Outgoing = string | Uint8Array<ArrayBuffer>;

type Entry =
  | { readonly kind: 'audio'; readonly data: Uint8Array<ArrayBuffer>; readonly endSamples: number }
  | { readonly kind: 'message'; readonly data: string };

/**
 * What was said and has not arrived yet, for all that is known, in its order.
 *
 * The server takes it in that order, so two numbers tell how far it has come: what lies before them is forgotten, what lies
 * behind them is sent again to a live session that is had again. So everything arrives, and once.
 */
export class Outbox {
  readonly #maxBytes: number;
  #entries: Entry[] = [];
  /** So many of them have been sent over the connection that there is, or was. */
  #sent = 0;
  #bytes = 0;
  /** Messages that came before the oldest entry, in this live session. */
  #messagesGone = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Whether so much more can be kept while nothing can be sent. */
  hasRoomFor(bytes: number): boolean {
    return this.#bytes + bytes <= this.#maxBytes;
  }

  /** Keeps a frame of the user's audio; `endSamples` counts the audio up to its end. */
  audio(data: Uint8Array<ArrayBuffer>, endSamples: number): void {
    this.#push({ kind: 'audio', data, endSamples });
  }

  message(data: string): void {
    this.#push({ kind: 'message', data });
  }

  /** What was kept has been sent. */
  sent(): void {
    this.#sent = this.#entries.length;
  }

  /** So much has arrived. */
  taken({ positionSamples, messages }: TakenInput): void {
    for (let oldest = this.#entries[0]; oldest !== undefined; oldest = this.#entries[0]) {
      const isTaken =
        oldest.kind === 'audio' ? oldest.endSamples <= positionSamples : this.#messagesGone < messages;
      if (!isTaken) return;
      this.#shift(oldest);
    }
  }

  /** The live session is had again, which has taken so much: gives what it has not, all of which counts as unsent. */
  again(taken: TakenInput): readonly Outgoing[] {
    this.taken(taken);
    // What had to make room and never arrived is lost, and the server has not counted it.
    this.#messagesGone = taken.messages;
    return this.#unsentFrom(0);
  }

  /** Another live session begins: what had been sent to the one before is not said twice. Gives what had not. */
  anew(): readonly Outgoing[] {
    const unsent = this.#unsentFrom(this.#sent);
    this.#entries = this.#entries.slice(this.#sent);
    this.#bytes = this.#entries.reduce((sum, entry) => sum + sizeOf(entry), 0);
    this.#messagesGone = 0;
    this.#sent = 0;
    return unsent;
  }

  #unsentFrom(index: number): readonly Outgoing[] {
    return this.#entries.slice(index).map(({ data }) => data);
  }

  #push(entry: Entry): void {
    this.#entries.push(entry);
    this.#bytes += sizeOf(entry);
    // What was sent longest ago has most likely arrived.
    for (let oldest = this.#entries[0]; oldest !== undefined; oldest = this.#entries[0]) {
      if (this.#bytes <= this.#maxBytes || this.#sent === 0) return;
      this.#shift(oldest);
    }
  }

  #shift(oldest: Entry): void {
    this.#entries.shift();
    this.#bytes -= sizeOf(oldest);
    this.#sent = Math.max(0, this.#sent - 1);
    if (oldest.kind === 'message') this.#messagesGone += 1;
  }
}

function sizeOf({ kind, data }: Entry): number {
  return kind === 'audio' ? data.byteLength : data.length;
}
