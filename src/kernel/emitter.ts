import { asPromise, isThenable } from './thenable.ts';

/** Event names with the tuple of arguments each one carries. */
export type EventMap = Record<string, readonly unknown[]>;

export type Listener<Args extends readonly unknown[]> = (...args: Args) => unknown;

/** Called with what a listener threw, or what the promise it returned was rejected with. */
export type ListenerErrorHandler = (error: unknown, event: string) => void;

/** One listener on one event. It is removed by its own identity: the same function may be registered twice. */
interface Registration {
  readonly listener: Listener<readonly unknown[]>;
  readonly isOnce: boolean;
  isRemoved: boolean;
}

/**
 * An event emitter whose listeners cannot harm each other or the one who emits (clause C8).
 *
 * Every listener is called, in order of registration, whatever the others do; a throw and a rejected promise both go
 * to the handler given to the constructor. A listener that was taken away is not called again, also when that happened
 * in the middle of an `emit`. Emitting copies no list: lists are copied when they change instead.
 */
export class Emitter<Events extends EventMap> {
  readonly #lists = new Map<keyof Events, readonly Registration[]>();
  readonly #onListenerError: ListenerErrorHandler;

  constructor(onListenerError: ListenerErrorHandler) {
    this.#onListenerError = onListenerError;
  }

  /** Registers a listener and returns the function that takes it away again. */
  on<Name extends keyof Events>(event: Name, listener: Listener<Events[Name]>): () => void {
    return this.#add(event, listener, false);
  }

  /** Like `on`, for the next event only. */
  once<Name extends keyof Events>(event: Name, listener: Listener<Events[Name]>): () => void {
    return this.#add(event, listener, true);
  }

  /** Takes away one registration of this listener, the oldest. */
  off<Name extends keyof Events>(event: Name, listener: Listener<Events[Name]>): void {
    const found = this.#lists.get(event)?.find((one) => one.listener === (listener as unknown));
    if (found !== undefined) this.#remove(event, found);
  }

  emit<Name extends keyof Events>(event: Name, ...args: Events[Name]): void {
    const registrations = this.#lists.get(event);
    if (registrations === undefined) return;
    for (const registration of registrations) {
      if (registration.isRemoved) continue;
      if (registration.isOnce) this.#remove(event, registration);
      try {
        const { listener } = registration;
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
    for (const list of this.#lists.values()) {
      for (const registration of list) registration.isRemoved = true;
    }
    this.#lists.clear();
  }

  #add<Name extends keyof Events>(
    event: Name,
    listener: Listener<Events[Name]>,
    isOnce: boolean,
  ): () => void {
    // The map holds listeners of every event; `emit` only ever hands each one its own event's arguments.
    const stored = listener as unknown as Listener<readonly unknown[]>;
    const registration: Registration = { listener: stored, isOnce, isRemoved: false };
    this.#lists.set(event, [...(this.#lists.get(event) ?? []), registration]);
    return () => this.#remove(event, registration);
  }

  #remove(event: keyof Events, registration: Registration): void {
    if (registration.isRemoved) return;
    registration.isRemoved = true;
    const left = this.#lists.get(event)?.filter((one) => one !== registration) ?? [];
    if (left.length === 0) this.#lists.delete(event);
    else this.#lists.set(event, left);
  }

  #observe(result: PromiseLike<unknown>, event: keyof Events): void {
    Promise.resolve(result).catch((error: unknown) => this.#report(error, event));
  }

  #report(error: unknown, event: keyof Events): void {
    try {
      const handled: unknown = this.#onListenerError(error, String(event));
      asPromise(handled)?.catch(() => undefined);
    } catch {
      // The handler of last resort failed too; there is nobody left to tell, and the emitter must go on.
    }
  }
}
