import type { CloseReport, Lifetime, Timer } from '../../kernel/index.ts';
import { AudioChunk } from '../../protocol/index.ts';
import type { AgentSession } from '../../session/index.ts';
import { PLAYOUT_FRAME_MS } from '../mixed-playout.ts';
import { SoundMixer } from '../sound-mixer.ts';
import type { PlayOptions } from '../sound-mixer.ts';
import { Sound } from '../sound.ts';
import { ThinkingWatch } from './thinking-watch.ts';

/**
 * How far sounds are given ahead of the time while nobody speaks, in milliseconds. So much later an answer is heard; so late
 * may a frame be before there is a hole in the sound.
 */
export const BACKGROUND_AHEAD_MS = 80;

/**
 * How much may be unheard at a client, in milliseconds, before it is given no more sound: its clock is slower than ours, or
 * it does not play, and an answer would be heard as much later.
 */
export const MAX_BACKGROUND_UNHEARD_MS = 1_000;

/**
 * How long after a piece of the agent's voice the next one may still belong to the same word, in milliseconds. As long as
 * nothing is put in before it is needed, so that no word is torn apart for a piece that is a little late.
 */
export const BACKGROUND_WORD_GAP_MS = 200;

/** How long the sound of thinking takes to come and to go, in milliseconds: an answer is not to be waited for. */
export const THINKING_FADE_MS = 200;

/** A sound, or one with how it is played. */
export type BackgroundSound = Sound | ({ readonly sound: Sound } & PlayOptions);

export interface BackgroundAudioOptions {
  /** Sounds all the time, quieter under the agent's voice. Its rate is `session.output.rateHz`. */
  readonly ambient?: BackgroundSound;
  /** Sounds while the agent thinks, or a tool runs: see `ThinkingWatch`. Silent under its voice unless `duckDb` says otherwise. */
  readonly thinking?: BackgroundSound;
}

/**
 * Lays sounds under a live session: clients hear them as part of the agent's audio, so that interruptions, playout and
 * recordings go on counting one stream.
 *
 * ```ts
 * const background = backgroundAudio(session, { ambient: office, thinking: typing });
 * ```
 *
 * It ends with the live session, or before with `close()`.
 * @throws InvalidOptionError for a sound of another rate, an impossible option, or when there is a background already.
 * @throws ClosedError when the live session closes or has closed.
 */
export function backgroundAudio(
  session: AgentSession,
  options: BackgroundAudioOptions = {},
): BackgroundAudio {
  return new BackgroundAudio(session, options);
}

/** The sounds under one live session. */
export class BackgroundAudio implements AsyncDisposable {
  readonly #session: AgentSession;
  readonly #scope: Lifetime;
  readonly #mixer: SoundMixer;
  readonly #thinking: ThinkingWatch | undefined;
  #timer: Timer | undefined;
  /** Until when the voice that was given is heard, by the clock. */
  #voiceEndsAtMs = -Infinity;

  /** @throws InvalidOptionError and ClosedError as `backgroundAudio`. */
  constructor(session: AgentSession, { ambient, thinking }: BackgroundAudioOptions) {
    this.#session = session;
    this.#mixer = new SoundMixer({ rateHz: session.output.rateHz });
    this.#scope = session.child('background audio', { phase: 'settle' });
    try {
      const unmix = session.output.mixWith((voice) => this.#under(voice));
      this.#scope.own('mix', { unmix }, { stop: (held) => held.unmix() });
      const untap = session.on('event', ({ type }) => {
        if (type === 'interrupted') this.#wake();
      });
      this.#scope.own('listener', { untap }, { stop: (held) => held.untap() });
      if (ambient !== undefined) this.play('ambient', ...played(ambient));
      if (thinking !== undefined) this.#thinking = this.#watch(thinking);
    } catch (error) {
      void this.#scope.close('not started', error);
      throw error;
    }
  }

  /**
   * Plays a sound under a name, in place of what plays under it; see `SoundMixer.play`. Does nothing after the close.
   * @throws InvalidOptionError as there.
   */
  play(name: string, sound: Sound, options: PlayOptions = {}): void {
    if (this.#scope.isClosing) return;
    this.#mixer.play(name, sound, options);
    this.#wake();
  }

  /**
   * Lets what plays under a name go: `ambient`, or a name of your own.
   * @throws InvalidOptionError when `fadeOutMs` is no time.
   */
  stop(name: string, fadeOutMs?: number): void {
    this.#mixer.stop(name, fadeOutMs);
  }

  /** Ends it at once: nothing is faded out. */
  close(): Promise<CloseReport> {
    return this.#scope.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#scope[Symbol.asyncDispose]();
  }

  #watch(thinking: BackgroundSound): ThinkingWatch {
    const [sound, options] = played(thinking);
    const how = { duckDb: -Infinity, fadeInMs: THINKING_FADE_MS, ...options };
    // What cannot be played is told to whoever is beginning, not to the log when somebody thinks.
    new SoundMixer({ rateHz: this.#mixer.rateHz }).play('thinking', sound, how);
    return new ThinkingWatch(this.#session, this.#scope, (isThinking) => {
      if (isThinking) this.play('thinking', sound, how);
      else this.stop('thinking', THINKING_FADE_MS);
    });
  }

  #under(voice: AudioChunk): AudioChunk {
    this.#thinking?.over();
    const aheadMs = this.#session.output.aheadMs + voice.durationMs;
    this.#voiceEndsAtMs = this.#scope.clock.now() + aheadMs;
    if (this.#mixer.isSilent || voice.rateHz !== this.#mixer.rateHz) return voice;
    return AudioChunk.fromSamples(this.#mixer.mix(voice.samples), voice.rateHz);
  }

  /** What was given ahead is not heard any more, or there is more to be given: by the timer, behind what is being told. */
  #wake(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#giveIn(0);
  }

  #giveIn(delayMs: number): void {
    if (this.#mixer.isSilent || this.#scope.isClosing) return;
    this.#timer = this.#scope.timer('next frame', delayMs, () => this.#give());
  }

  #give(): void {
    this.#timer = undefined;
    const { output } = this.#session;
    const { rateHz } = this.#mixer;
    const aheadMs = this.#isMidWord ? 1 : BACKGROUND_AHEAD_MS;
    const count = (rateHz * PLAYOUT_FRAME_MS) / 1_000;
    while (output.aheadMs < aheadMs && output.unheardMs < MAX_BACKGROUND_UNHEARD_MS && !this.#isOver) {
      output.play(AudioChunk.fromSamples(this.#mixer.mix(undefined, count), rateHz));
    }
    this.#giveIn(Math.max(PLAYOUT_FRAME_MS, output.aheadMs - BACKGROUND_AHEAD_MS));
  }

  get #isMidWord(): boolean {
    const isSaid = this.#session.currentSpeech?.state.tag === 'speaking';
    return isSaid && this.#scope.clock.now() - this.#voiceEndsAtMs < BACKGROUND_WORD_GAP_MS;
  }

  get #isOver(): boolean {
    return this.#mixer.isSilent || this.#scope.isClosing;
  }
}

function played(given: BackgroundSound): [sound: Sound, options: PlayOptions] {
  if (given instanceof Sound) return [given, {}];
  const { sound, ...options } = given;
  return [sound, options];
}
