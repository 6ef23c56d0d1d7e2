import { isThenable } from './thenable.ts';

/** Event names with the tuple of arguments each one carries. */
export type EventMap = Record<string, readonly unknown[]>;

export type Listener<Args extends readonly unknown[]> = (...args: Args) => unknown;

/** Called with what a listener threw, or what the promise it returned was rejected with. */
export type ListenerErrorHandler = (error: unknown, event: string) => void;

/**
 * An event emitter whose listeners cannot harm each other or the one who emits (clause C8).
 *
 * Every listener is called, in order of registration, whatever the others do; a throw and a rejected promise both go
 * to the handler given to the constructor. Emitting allocates nothing: lists are copied when they change instead.
 */
export class Emitter<Events extends EventMap> {
  readonly #lists = new Map<keyof Events, readonly Listener<readonly unknown[]>[]>();
  readonly #onListenerError: ListenerErrorHandler;

  constructor(onListenerError: ListenerErrorHandler) {
    this.#onListenerError = onListenerError;
  }

  /** Registers a listener and returns the function that takes it away again. */
  on<Name extends keyof Events>(event: Name, listener: Listener<Events[Name]>): () => void {
    // The map holds listeners of every event; `emit` only ever hands each one its own event's arguments.
    const stored = listener as unknown as Listener<readonly unknown[]>;
    this.#lists.set(event, [...(this.#lists.get(event) ?? []), stored]);
    return () => this.#remove(event, stored);
  }

  /** Takes away one registration of this listener. */
  off<Name extends keyof Events>(event: Name, listener: Listener<Events[Name]>): void {
    this.#remove(event, listener as unknown as Listener<readonly unknown[]>);
  }

  /** Like `on`, for the next event only. */
  once<Name extends keyof Events>(event: Name, listener: Listener<Events[Name]>): () => void {
    const remove = this.on(event, (...args) => {
      remove();
      return listener(...args);
    });
    return remove;
  }

  emit<Name extends keyof Events>(event: Name, ...args: Events[Name]): void {
    const listeners = this.#lists.get(event);
    if (listeners === undefined) return;
    for (const listener of listeners) {
      try {
        const result = listener(...args);
        if (isThenable(result)) this.#observe(result, event);
      } catch (error) {
        this.#report(error, event);
      }
    }
  }

  listenerCount(event: keyof Events): number {
    return this.#lists.get(event)?.length ?? 0;
  }

  /** Takes every listener away. */
  clear(): void {
    this.#lists.clear();
  }

  #observe(result: PromiseLike<unknown>, event: keyof Events): void {
    result.then(undefined, (error: unknown) => this.#report(error, event));
  }

  #report(error: unknown, event: keyof Events): void {
    try {
      this.#onListenerError(error, String(event));
    } catch {
      // The handler of last resort failed too; there is nobody left to tell, and the emitter must go on.
    }
  }

  #remove(event: keyof Events, listener: Listener<readonly unknown[]>): void {
    const listeners = this.#lists.get(event);
    const index = listeners?.indexOf(listener) ?? -1;
    if (listeners === undefined || index < 0) return;
    if (listeners.length === 1) this.#lists.delete(event);
    else this.#lists.set(event, listeners.toSpliced(index, 1));
  }
}
