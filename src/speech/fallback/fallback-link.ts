import { describeError } from '../../kernel/index.ts';
import type { Lifetime } from '../../kernel/index.ts';
import { isRecoverable, lostError } from '../../session/connection-end.ts';
import { ConnectTimeoutError, ConnectionLostError, OverloadedError } from '../../session/errors.ts';
import { DEFAULT_STABLE_AFTER_MS } from '../../session/reconnect-policy.ts';
import type { ConnectionEnd, StreamConnection, StreamPort, StreamSink } from '../../session/stream-port.ts';
import { untilClosed } from '../../session/until-closed.ts';
import type { ProviderRoster } from './provider-roster.ts';

/** What goes over one connection: made into what the group promises, and looked at for whether it works. */
export interface Passage<Input, Output> {
  /** As `StreamConnection.send`. */
  send(input: Input, connection: StreamConnection<Input>): boolean;
  /** Tells the group's owner what there is to be told of it. */
  received(output: Output): void;
  /** Whether something was asked that has no answer yet. */
  readonly isOwed: boolean;
  /** Whether something was answered whole. */
  readonly hasWorked: boolean;
}

/** What a passage stands between, and whom it tells. */
export interface PassageEnds<Output> {
  /** Of the connection. */
  readonly scope: Lifetime;
  tell(output: Output): void;
  /** Something came that nobody is told. */
  alive(): void;
  /** Whether somebody else is well. */
  hasSuccessor(): boolean;
  /** It does not do what it is asked: it is given up. */
  failing(reason: string): void;
}

export interface FallbackLinkOptions<Setup, Input, Output> {
  /** What the provider is, for logs: `voice`. */
  readonly what: string;
  readonly provider: StreamPort<Setup, Input, Output>;
  readonly roster: ProviderRoster<StreamPort<Setup, Input, Output>>;
  readonly sink: StreamSink<Output>;
  /** Of this connection alone. */
  readonly scope: Lifetime;
  passage(ends: PassageEnds<Output>): Passage<Input, Output>;
}

/**
 * - `connecting`: what comes already is held back, since it counts for nothing if the connection does not come about.
 * - `open`. - `over`: nothing is told any more.
 */
type LinkState<Input, Output> =
  | { readonly tag: 'connecting'; readonly held: Output[] }
  | { readonly tag: 'open'; readonly connection: StreamConnection<Input>; readonly sinceMs: number }
  | { readonly tag: 'over' };

/** A connection to one provider of several: whoever does not do what is asked of it is found out, and rests. */
export class FallbackLink<Setup, Input, Output> implements StreamConnection<Input>, StreamSink<Output> {
  probe?: () => void;
  finish?: () => void;
  readonly #options: FallbackLinkOptions<Setup, Input, Output>;
  readonly #passage: Passage<Input, Output>;
  #state: LinkState<Input, Output> = { tag: 'connecting', held: [] };
  /** Why the attempt was given up, where that was not the provider's own error. */
  #failure: Error | undefined;
  #isKnownToWork = false;

  constructor(options: FallbackLinkOptions<Setup, Input, Output>) {
    const { scope, sink } = options;
    this.#options = options;
    this.#passage = options.passage({
      scope,
      tell: (output) => sink.output(output),
      alive: () => sink.alive(),
      hasSuccessor: () => this.#successor !== undefined,
      failing: (reason) => this.#failing(reason),
    });
  }

  /**
   * Connects, for no longer than `timeoutMs` where it is given. Whatever way it ends but well, nothing stays open.
   * @throws ConnectTimeoutError at the bound; ClosedError when the scope closes; otherwise what the provider throws.
   */
  async open(setup: Setup, timeoutMs: number | undefined): Promise<void> {
    const { provider, scope } = this.#options;
    const timeout =
      timeoutMs === undefined
        ? undefined
        : scope.timer('connect time-out', timeoutMs, () => this.#giveUp(tooSlow(provider.id, timeoutMs)));
    try {
      const connection = await untilClosed(scope, () => provider.connect(setup, this, scope));
      scope.throwIfClosing();
      timeout?.cancel();
      this.#opened(connection);
    } catch (error) {
      this.#state = { tag: 'over' };
      void scope.abort('connect failed', error);
      throw this.#failure ?? error;
    }
  }

  send(input: Input): boolean {
    return this.#state.tag === 'open' && this.#passage.send(input, this.#state.connection);
  }

  get bufferedBytes(): number {
    return this.#state.tag === 'open' ? this.#state.connection.bufferedBytes : 0;
  }

  get flushedBytes(): number | undefined {
    return this.#state.tag === 'open' ? this.#state.connection.flushedBytes : undefined;
  }

  givenUp(reason: string): boolean {
    if (this.#state.tag !== 'open') return false;
    this.#state = { tag: 'over' };
    return this.#blame(this.#lost(reason)).hasSuccessor;
  }

  output(message: Output): void {
    if (this.#state.tag === 'connecting') this.#state.held.push(message);
    else if (this.#state.tag === 'open') this.#receive(message);
  }

  alive(): void {
    if (this.#state.tag === 'open') this.#options.sink.alive();
  }

  ended(end: ConnectionEnd): void {
    const state = this.#state;
    const { provider, sink } = this.#options;
    if (state.tag === 'connecting') this.#giveUp(lostError(provider.id, end));
    if (state.tag !== 'open') return;
    const error = lostError(provider.id, end);
    const isItsFault = this.#isItsFault(error, end.isIdle === true, state.sinceMs);
    this.#state = { tag: 'over' };
    sink.ended(isItsFault ? { ...end, ...this.#blame(error) } : end);
  }

  #opened(connection: StreamConnection<Input>): void {
    const held = this.#state.tag === 'connecting' ? this.#state.held : [];
    // One without these has none of them here either.
    if (connection.probe !== undefined) this.probe = () => connection.probe?.();
    if (connection.finish !== undefined) this.finish = () => connection.finish?.();
    this.#state = { tag: 'open', connection, sinceMs: this.#options.scope.clock.now() };
    for (const message of held) this.#receive(message);
  }

  #receive(message: Output): void {
    this.#passage.received(message);
    if (this.#isKnownToWork || !this.#passage.hasWorked) return;
    this.#isKnownToWork = true;
    this.#options.roster.worked(this.#options.provider);
  }

  /** The attempt has come to nothing. */
  #giveUp(error: Error): void {
    this.#failure ??= error;
    void this.#options.scope.abort('connect failed', error);
  }

  #failing(reason: string): void {
    if (this.#state.tag !== 'open') return;
    const { scope, sink } = this.#options;
    this.#state = { tag: 'over' };
    // It is there, as far as anybody knows: goodbye is said.
    void scope.close('given up');
    sink.ended({ reason, ...this.#blame(this.#lost(reason)) });
  }

  /**
   * Whether an end tells against the provider. A connection that lasted is had again from whom it was with, if it had worked
   * or nothing was asked of it, since most losses are a blink. One that did not last is none to be had again and again,
   * whatever came of it; but for a routine.
   */
  #isItsFault(error: Error, isIdle: boolean, sinceMs: number): boolean {
    if (!isRecoverable(error) || error instanceof OverloadedError) return true;
    const { isOwed, hasWorked } = this.#passage;
    const isYoung = this.#options.scope.clock.now() - sinceMs < DEFAULT_STABLE_AFTER_MS;
    return isIdle ? isYoung && !hasWorked : isYoung || (isOwed && !hasWorked);
  }

  /** The provider rests, and the next one is asked before it. What that means for the end of the connection. */
  #blame(error: Error): { readonly hasSuccessor: boolean; readonly error: Error } {
    const { what, provider, roster, scope } = this.#options;
    roster.failed(provider, error, scope.clock.now());
    const successor = this.#successor;
    if (successor !== undefined) {
      const told = { from: provider.id, to: successor.id, error: describeError(error) };
      scope.log.warn(`${what} replaced by the next one`, told);
    }
    const hasSuccessor = successor !== undefined;
    if (isRecoverable(error) || roster.isHopeless(scope.clock.now())) return { hasSuccessor, error };
    // What ends one provider for good does not end the group.
    const failure = { provider: provider.id, cause: error };
    return { hasSuccessor, error: new ConnectionLostError(describeError(error), failure) };
  }

  get #successor(): { readonly id: string } | undefined {
    const { provider, roster, scope } = this.#options;
    return roster.successorOf(provider, scope.clock.now());
  }

  #lost(reason: string): ConnectionLostError {
    const { id } = this.#options.provider;
    return new ConnectionLostError(`The connection to ${id} was given up: ${reason}.`, { provider: id });
  }
}

function tooSlow(provider: string, timeoutMs: number): ConnectTimeoutError {
  return new ConnectTimeoutError(
    `${provider} was not ready within ${timeoutMs} ms of dialling, and somebody else is there. ` +
      'Check the network and the address, or raise the connectTimeoutMs of the fallback.',
    { provider },
  );
}
