import type { Content, LiveRequest } from '../protocol/index.ts';
import { KeptInputs } from './kept-inputs.ts';
import type { ClientInput } from './kept-inputs.ts';

export type { ClientInput } from './kept-inputs.ts';

/** Messages and marks are few; this many without an answer are a client that talks to nobody. */
export const MAX_KEPT_MESSAGES = 1_000;

/** A word begins more quietly than it goes on: so much before the first audible sample belongs to it. */
export const LEAD_IN_MS = 300;

/** How much of the latest audio tells whether somebody is speaking. */
export const QUIET_TAIL_MS = 300;

/** Who speaks for longer than this beside an answer is no user: every answer is one to what was said before it. */
export const MAX_OVERLAP_MS = 5_000;

/** What is sent again for the tenth time is what ends the connections (clause R4 guards the dials, this the input). */
export const MAX_REPLAYS = 10;

/** What was accepted from the client and never sent. */
export interface Unsent {
  readonly requests: number;
  readonly audioMs: number;
}

/** What comes of going back: something is sent again, nothing has to be, or it was sent too often and is given up. */
export type Rewinding = 'again' | 'nothing' | 'givenUp';

/** What a new connection gets of what the old one had, in milliseconds of audio. */
export interface Replay {
  /** What was sent and is sent again. */
  readonly replayedMs: number;
  /** What no connection gets, because it no longer fits. */
  readonly audioGapMs: number;
}

/**
 * What the client said and the model has not answered, in order: first what was sent, then what waits to be sent.
 *
 * Positions count inputs from the beginning of the live session. What led to an answer is forgotten with it; what is
 * more than fits is forgotten from its oldest end, and counted (clause R8).
 */
export class InputRing {
  readonly #keeps: boolean;
  readonly #maxAudioMs: number;
  readonly #kept = new KeptInputs();
  /** The index in `#kept` of the next one to be sent. */
  #next = 0;
  #nextPosition = 0;
  #keptMs = 0;
  /** How many of the kept are neither audio nor pictures. */
  #messages = 0;
  /** Where the agent took the floor last: what was sent before this position, it has heard. */
  #floor = 0;
  /** What lies before this position had piled up when the connection was made; and how much audio came since. */
  #backlogEnd = 0;
  #sinceBacklogMs = 0;
  #replays = 0;
  /** Whether anything of what was sent and is kept is a word: a mark, a message, audio that can be heard. */
  #hasWord = false;
  #keepsSilence = false;
  /** Audio dropped since the last answer that the connection has had. */
  #droppedMs = 0;
  /** Audio dropped that no connection has had, and nobody was told of. */
  #lostMs = 0;
  /** What was dropped that no connection has had, until somebody is told of a gap: a session may end before that. */
  #droppedUnsent: Unsent = { requests: 0, audioMs: 0 };

  /** Without `keeps` nothing stays once it was sent. */
  constructor(keeps: boolean, maxAudioMs: number) {
    this.#keeps = keeps;
    this.#maxAudioMs = maxAudioMs;
  }

  /** The position of the next input to be sent. */
  get position(): number {
    return this.#positionAt(this.#next);
  }

  /** How many inputs wait to be sent. */
  get waiting(): number {
    return this.#kept.length - this.#next;
  }

  /** Whether more may be put in. */
  get hasRoom(): boolean {
    return this.#messages < MAX_KEPT_MESSAGES;
  }

  /** The messages among what waits to be sent, for the first time or again. */
  get contentsToSend(): ReadonlySet<Content> {
    const contents = new Set<Content>();
    for (let index = this.#next; index < this.#kept.length; index += 1) {
      if (this.#kept.durationMs(index) > 0) continue;
      const input = this.#kept.input(index);
      if (input?.type === 'content') contents.add(input.content);
    }
    return contents;
  }

  push(input: ClientInput): void {
    const durationMs = this.#kept.push(input, this.#nextPosition);
    this.#nextPosition += 1;
    this.#keptMs += durationMs;
    this.#sinceBacklogMs += durationMs;
    if (durationMs === 0) this.#messages += 1;
    // What was sent is in the history as well, if it was a message.
    if (this.#messages > MAX_KEPT_MESSAGES && this.#next > 0) this.#dropOldestMessage();
    while (this.#keptMs > this.#maxAudioMs && this.#dropOldestAudio());
  }

  /** The next input to be sent. */
  peek(): ClientInput | undefined {
    return this.waiting > 0 ? this.#kept.input(this.#next) : undefined;
  }

  /** What `peek` gave was taken by the connection, as its input number `index`, counted from 0. */
  sent(index: number): void {
    if (this.waiting === 0) return;
    this.#kept.markSent(this.#next, index);
    // A picture shows a moment that would be over when it was sent again.
    if (!this.#keeps || this.#kept.isImage(this.#next)) {
      this.#remove(this.#next);
      return;
    }
    this.#kept.pack(this.#next);
    this.#hasWord ||= this.#kept.isWord(this.#next);
    this.#next += 1;
    if (!this.#hasWord && !this.#keepsSilence) this.#dropSilence();
  }

  /** The provider counts what it has had: from now on silence is sent again as well, so that the counts agree. */
  isCounted(): void {
    this.#keepsSilence = true;
  }

  /** The agent begins to answer what it was sent so far, but for what the user is in the middle of. */
  floorTaken(): void {
    const isCatchingUp = this.#positionAt(0) < this.#backlogEnd && this.#sinceBacklogMs < MAX_OVERLAP_MS;
    const whole = this.#wholeUntil();
    const heard = isCatchingUp ? Math.min(whole, this.#firstUtteranceUntil()) : whole;
    this.#floor = this.#positionAt(heard);
  }

  /** The answer is whole, or is not wanted any more: what led to it is done with. */
  answered(): void {
    this.#forgetBefore(this.#floor);
    this.#replays = 0;
    this.#droppedMs = 0;
  }

  /** Whether nobody is speaking, as far as the latest audio tells. */
  get isQuiet(): boolean {
    let tailMs = 0;
    for (let index = this.#kept.length - 1; index >= 0 && tailMs < QUIET_TAIL_MS; index -= 1) {
      if (!this.#kept.isAudio(index)) continue;
      if (this.#kept.isWord(index)) return false;
      tailMs += this.#kept.durationMs(index);
    }
    return true;
  }

  /** The position after input number `index` of the connection: what a provider that counts has not had. */
  positionAfter(index: number): number {
    let after = 0;
    while (after < this.#kept.length && this.#kept.wasSent(after) && this.#kept.sentAs(after) <= index) {
      after += 1;
    }
    return this.#positionAt(after);
  }

  /**
   * Goes back to where the unanswered turn begins: the connection it was sent to is gone. Silence before the first word
   * is not sent again, unless the provider counts.
   */
  rewind(isCounted = false): Rewinding {
    if (this.#next === 0) return 'nothing';
    this.#replays += 1;
    const isGivenUp = this.#replays > MAX_REPLAYS;
    if (isGivenUp) this.#lostMs += this.#msBetween(0, this.#next);
    const start = isGivenUp ? this.#next : isCounted ? 0 : this.#firstWord();
    // A voice at the very beginning was there before: what was dropped before it is missing. After a pause it is not.
    if (start === 0) this.#lostMs += this.#droppedMs;
    this.#droppedMs = 0;
    const isAnyLeft = start < this.#next;
    this.#next = start;
    this.#floor = this.position;
    this.#forgetBefore(this.#floor);
    if (isGivenUp) return 'givenUp';
    return isAnyLeft ? 'again' : 'nothing';
  }

  /** What the connection is known to have had before `position` is not sent again after all. */
  skipTo(position: number): void {
    while (this.#next < this.#kept.length) {
      if (!this.#kept.wasSent(this.#next) || this.#kept.position(this.#next) >= position) return;
      this.#kept.markSent(this.#next, -1);
      this.#hasWord ||= this.#kept.isWord(this.#next);
      this.#next += 1;
    }
  }

  /** Tells what the new connection gets. What is lost is told once. */
  replay(): Replay {
    const audioGapMs = this.#lostMs;
    this.#lostMs = 0;
    this.#backlogEnd = this.#nextPosition;
    this.#sinceBacklogMs = 0;
    this.#droppedUnsent = { requests: 0, audioMs: 0 };
    return { replayedMs: this.#msBetween(this.#next, this.#kept.length, true), audioGapMs };
  }

  /** The model cannot take what `peek` gave. */
  refused(): void {
    if (this.waiting > 0) this.#remove(this.#next);
  }

  /** Lets go of everything. Tells what was never sent, dropped or not, as far as nobody was told of it. */
  abandon(): Unsent {
    let { requests, audioMs } = this.#droppedUnsent;
    for (let index = 0; index < this.#kept.length; index += 1) {
      if (this.#kept.wasSent(index)) continue;
      requests += 1;
      if (this.#kept.isAudio(index)) audioMs += this.#kept.durationMs(index);
    }
    this.#droppedUnsent = { requests: 0, audioMs: 0 };
    this.#kept.clear();
    this.#next = 0;
    this.#keptMs = 0;
    this.#messages = 0;
    return { requests, audioMs };
  }

  /**
   * The index after what was sent as a whole. An agent answers what it has heard the end of: where the user speaks on
   * as the answer comes, after a pause, that is said again if the connection is lost. A microphone that is never quiet
   * stands in a noisy room, and tells nothing.
   */
  #wholeUntil(): number {
    let [isSpeaking, quietMs, spanMs] = [false, 0, 0];
    for (let index = this.#next - 1; index >= 0 && spanMs <= MAX_OVERLAP_MS; index -= 1) {
      if (this.#kept.isImage(index)) continue;
      if (!this.#kept.isAudio(index)) {
        if (this.#kept.input(index)?.type === 'activityStart') return index;
        return isSpeaking ? index + 1 : this.#next;
      }
      const durationMs = this.#kept.durationMs(index);
      const isVoice = this.#kept.isWord(index);
      isSpeaking ||= isVoice;
      quietMs = isVoice ? 0 : quietMs + durationMs;
      spanMs += durationMs;
      if (quietMs >= QUIET_TAIL_MS) return isSpeaking ? index : this.#next;
    }
    return this.#next;
  }

  /**
   * The index after the first of several utterances. What had piled up is sent in an instant, and the first answer after
   * that is one to the first of it.
   */
  #firstUtteranceUntil(): number {
    let [hasSpoken, quietMs] = [false, 0];
    for (let index = 0; index < this.#next; index += 1) {
      if (!this.#kept.isAudio(index)) return this.#next;
      const isVoice = this.#kept.isWord(index);
      if (hasSpoken && isVoice && quietMs >= QUIET_TAIL_MS) return this.#withLeadIn(index);
      hasSpoken ||= isVoice;
      quietMs = isVoice ? 0 : quietMs + this.#kept.durationMs(index);
    }
    return this.#next;
  }

  /** The index of the first mark, message or audible piece of audio that was sent, with its lead-in. */
  #firstWord(): number {
    let word = 0;
    while (word < this.#next && !this.#kept.isWord(word)) word += 1;
    return word === this.#next ? word : this.#withLeadIn(word);
  }

  #withLeadIn(word: number): number {
    let [index, leadInMs] = [word, 0];
    while (index > 0 && leadInMs < LEAD_IN_MS) {
      index -= 1;
      leadInMs += this.#kept.durationMs(index);
    }
    return index;
  }

  #msBetween(start: number, end: number, onlySent = false): number {
    let sumMs = 0;
    for (let index = start; index < end; index += 1) {
      if (!this.#kept.isAudio(index) || (onlySent && !this.#kept.wasSent(index))) continue;
      sumMs += this.#kept.durationMs(index);
    }
    return sumMs;
  }

  #forgetBefore(position: number): void {
    let isAnyGone = false;
    while (this.#next > 0 && this.#kept.position(0) < position) {
      this.#remove(0);
      isAnyGone = true;
    }
    if (!isAnyGone) return;
    this.#hasWord = false;
    for (let index = 0; index < this.#next && !this.#hasWord; index += 1) {
      this.#hasWord = this.#kept.isWord(index);
    }
  }

  /** A caller who says nothing costs nothing: of the silence before the first word no more than its lead-in is kept. */
  #dropSilence(): void {
    let silentMs = 0;
    for (let index = 0; index < this.#next; index += 1) silentMs += this.#kept.durationMs(index);
    while (this.#next > 0) {
      silentMs -= this.#kept.durationMs(0);
      if (silentMs < LEAD_IN_MS) return;
      this.#remove(0);
      // Whatever was dropped before it came before a pause, and is not missed.
      this.#droppedMs = 0;
    }
  }

  /**
   * Never what is not audio or a picture: a message is small, and whoever sent it was told that it is taken. And never
   * the latest: no connection has had it yet, however long it is, and however little is to be kept.
   */
  #dropOldestAudio(): boolean {
    let index = 0;
    while (index < this.#kept.length && this.#kept.durationMs(index) === 0) index += 1;
    if (index >= this.#kept.length - 1) return false;
    const audioMs = this.#kept.isAudio(index) ? this.#kept.durationMs(index) : 0;
    if (index < this.#next) this.#droppedMs += audioMs;
    else this.#lostMs += audioMs;
    if (!this.#kept.wasSent(index)) {
      const dropped = this.#droppedUnsent;
      this.#droppedUnsent = { requests: dropped.requests + 1, audioMs: dropped.audioMs + audioMs };
    }
    this.#remove(index);
    return true;
  }

  #dropOldestMessage(): void {
    let index = 0;
    while (index < this.#next && this.#kept.durationMs(index) > 0) index += 1;
    if (index < this.#next) this.#remove(index);
  }

  #remove(index: number): void {
    const durationMs = this.#kept.durationMs(index);
    this.#keptMs -= durationMs;
    if (durationMs === 0) this.#messages -= 1;
    this.#kept.remove(index);
    if (index < this.#next) this.#next -= 1;
  }

  /** The position of the one at this index, or of the next one to come. */
  #positionAt(index: number): number {
    return index < this.#kept.length ? this.#kept.position(index) : this.#nextPosition;
  }
}

/** How long all audio of these requests lasts, in milliseconds. */
export function audioMsOf(inputs: readonly LiveRequest[]): number {
  let audioMs = 0;
  for (const input of inputs) if (input.type === 'audio') audioMs += input.audio.durationMs;
  return audioMs;
}
