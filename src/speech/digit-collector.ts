import { InvalidOptionError } from '../kernel/index.ts';
import type { Lifetime, Timer } from '../kernel/index.ts';
import { DTMF_KEYS } from './dtmf-tones.ts';

/** How long the first key is waited for, in milliseconds: who is asked has to think (Asterisk's TIMEOUT(response): 10 s). */
export const FIRST_KEY_TIMEOUT_MS = 10_000;

/** How long each further key is waited for, in milliseconds (Asterisk's TIMEOUT(digit): 5 s). */
export const NEXT_KEY_TIMEOUT_MS = 5_000;

/** The key that says: that was all. Callers expect it. */
export const TERMINATOR_KEY = '#';

/** The most keys taken, where no other bound is given: longer than every number one types into a telephone. */
export const MAX_COLLECTED_KEYS = 32;

export interface DigitCollectorOptions {
  /** Whose end ends the collecting; also the clock. */
  readonly owner: Lifetime;
  /** How many keys are enough. Default {@link MAX_COLLECTED_KEYS}. */
  readonly maxKeys?: number;
  /** The key that ends it, which is not among the digits; '' for none. Default {@link TERMINATOR_KEY}. */
  readonly terminator?: string;
  /** Default {@link FIRST_KEY_TIMEOUT_MS}. */
  readonly firstKeyTimeoutMs?: number;
  /** Default {@link NEXT_KEY_TIMEOUT_MS}. */
  readonly nextKeyTimeoutMs?: number;
  /**
   * Whether the question is still being asked: then the first key is waited for without a bound until `promptEnded()`.
   * Keys are taken meanwhile. Default false.
   */
  readonly prompting?: boolean;
}

/** What was typed, and why no more is waited for. */
export interface CollectedDigits {
  /** The keys in their order, without the terminator. */
  readonly digits: string;
  /**
   * - `full`: as many as are enough.
   * - `terminator`: the caller said that it was all.
   * - `timeout`: no further key came; `digits` may be too few.
   * - `nothing`: not one key came.
   * - `closed`: the owner ended, or `cancel()` was called.
   */
  readonly why: 'full' | 'terminator' | 'timeout' | 'nothing' | 'closed';
}

type State =
  | { readonly tag: 'prompting' }
  | { readonly tag: 'waiting'; readonly timer: Timer }
  | { readonly tag: 'collecting'; readonly digits: string; readonly timer: Timer }
  | { readonly tag: 'done'; readonly result: CollectedDigits };

/**
 * Collects the keys a caller types, up to a number of them, a terminator, or a pause.
 *
 * ```ts
 * const pin = new DigitCollector({ owner: call, maxKeys: 4 });
 * for (const event of detector.process(samples)) if (event.type === 'start') pin.press(event.key);
 * const { digits, why } = await pin.collected;
 * ```
 */
export class DigitCollector {
  readonly #owner: Lifetime;
  readonly #maxKeys: number;
  readonly #terminator: string;
  readonly #firstKeyTimeoutMs: number;
  readonly #nextKeyTimeoutMs: number;
  readonly #collected = Promise.withResolvers<CollectedDigits>();
  #state: State = { tag: 'prompting' };

  /**
   * @throws InvalidOptionError for an option that cannot work.
   * @throws ClosedError when the owner has begun to close.
   */
  constructor(options: DigitCollectorOptions) {
    const { owner, prompting = false } = options;
    this.#maxKeys = options.maxKeys ?? MAX_COLLECTED_KEYS;
    this.#terminator = options.terminator ?? TERMINATOR_KEY;
    this.#firstKeyTimeoutMs = options.firstKeyTimeoutMs ?? FIRST_KEY_TIMEOUT_MS;
    this.#nextKeyTimeoutMs = options.nextKeyTimeoutMs ?? NEXT_KEY_TIMEOUT_MS;
    if (!Number.isInteger(this.#maxKeys) || this.#maxKeys < 1) {
      throw new InvalidOptionError(`maxKeys is ${this.#maxKeys}; give a whole number of 1 or more.`);
    }
    if (this.#terminator !== '' && !isKey(this.#terminator)) {
      throw new InvalidOptionError(`terminator is '${this.#terminator}'; give one key, or ''.`);
    }
    for (const name of ['firstKeyTimeoutMs', 'nextKeyTimeoutMs'] as const) {
      const value = options[name];
      if (value !== undefined && !(value > 0)) {
        throw new InvalidOptionError(`${name} is ${value}; give more than 0.`);
      }
    }
    this.#owner = owner;
    owner.own('digits', this, { stop: (collector) => collector.cancel() });
    if (!prompting) this.promptEnded();
  }

  /** Resolves, and never rejects, when no more keys are waited for. */
  get collected(): Promise<CollectedDigits> {
    return this.#collected.promise;
  }

  /** What was typed so far. */
  get digits(): string {
    if (this.#state.tag === 'done') return this.#state.result.digits;
    return this.#state.tag === 'collecting' ? this.#state.digits : '';
  }

  /** The question has been asked: from now on the first key is waited for. Later calls do nothing. */
  promptEnded(): void {
    if (this.#state.tag !== 'prompting') return;
    this.#state = { tag: 'waiting', timer: this.#timer(this.#firstKeyTimeoutMs) };
  }

  /**
   * Takes a key. Gives false when no more are waited for, and then the key is somebody else's.
   * @throws InvalidOptionError when it is no key.
   */
  press(key: string): boolean {
    if (!isKey(key)) throw new InvalidOptionError(`'${key}' is no key; give one of 0–9, *, # or A–D.`);
    if (this.#state.tag === 'done') return false;
    const digits = key === this.#terminator ? this.digits : this.digits + key;
    if (key === this.#terminator) this.#finish({ digits, why: 'terminator' });
    else if (digits.length >= this.#maxKeys) this.#finish({ digits, why: 'full' });
    else {
      this.#cancelTimer();
      this.#state = { tag: 'collecting', digits, timer: this.#timer(this.#nextKeyTimeoutMs) };
    }
    return true;
  }

  /** Waits for no more keys. */
  cancel(): void {
    this.#finish({ digits: this.digits, why: 'closed' });
  }

  #timer(delayMs: number): Timer {
    return this.#owner.timer('next key', delayMs, () => {
      this.#finish({ digits: this.digits, why: this.digits === '' ? 'nothing' : 'timeout' });
    });
  }

  #cancelTimer(): void {
    if (this.#state.tag === 'waiting' || this.#state.tag === 'collecting') this.#state.timer.cancel();
  }

  #finish(result: CollectedDigits): void {
    if (this.#state.tag === 'done') return;
    this.#cancelTimer();
    this.#state = { tag: 'done', result };
    this.#owner.release(this);
    this.#collected.resolve(result);
  }
}

function isKey(key: string): boolean {
  return key.length === 1 && DTMF_KEYS.includes(key);
}
