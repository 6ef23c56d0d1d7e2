/** Finds out what is different in a session's state since that was told last, field by field. */
export class StateChanges {
  readonly #state: Readonly<Record<string, unknown>>;
  #told: Map<string, string>;

  constructor(state: Readonly<Record<string, unknown>>) {
    this.#state = state;
    this.#told = fieldsOf(state);
  }

  /** What has changed since, null for what is gone; undefined where nothing has. */
  take(): Readonly<Record<string, unknown>> | undefined {
    const told = this.#told;
    const now = fieldsOf(this.#state);
    const delta: Record<string, unknown> = {};
    // What is told is a copy: the state goes on changing.
    for (const [name, json] of now) if (told.get(name) !== json) delta[name] = JSON.parse(json) as unknown;
    for (const name of told.keys()) if (!now.has(name)) delta[name] = null;
    this.#told = now;
    return Object.keys(delta).length === 0 ? undefined : delta;
  }

  /** Somebody else has told what stands in these fields now. */
  told(names: readonly string[]): void {
    for (const name of names) {
      const json = jsonOf(this.#state[name]);
      if (json !== undefined) this.#told.set(name, json);
    }
  }
}

/** What a tool has put into the state may be anything; what is no JSON is not told. */
function fieldsOf(state: Readonly<Record<string, unknown>>): Map<string, string> {
  const fields = new Map<string, string>();
  for (const [name, value] of Object.entries(state)) {
    const json = jsonOf(value);
    if (json !== undefined && name !== '__proto__') fields.set(name, json);
  }
  return fields;
}

function jsonOf(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}
