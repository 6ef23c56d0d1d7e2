/** Whether a value can be awaited, whichever library or realm its promise comes from. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    ((typeof value === 'object' && value !== null) || typeof value === 'function') &&
    typeof (value as { then?: unknown }).then === 'function'
  );
}

/**
 * What foreign code returned, as a promise of ours; undefined when there is nothing to wait for. A foreign thenable may
 * call back twice, or before `then` has returned, or throw from it: adopted, it does none of these.
 */
export function asPromise(value: unknown): Promise<unknown> | undefined {
  return isThenable(value) ? Promise.resolve(value) : undefined;
}
