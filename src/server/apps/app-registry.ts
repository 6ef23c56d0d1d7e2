import { InvalidOptionError } from '../../kernel/index.ts';
import type { HoldfastError } from '../../kernel/index.ts';
import type { Agent } from '../../session/agent.ts';
import type { LiveModel } from '../../session/live-model.ts';
import { AppNotFoundError } from '../errors.ts';

/** An app that can be served, or what keeps it from being served. */
export type App =
  | { readonly name: string; readonly agent: Agent; readonly error?: undefined }
  | { readonly name: string; readonly agent?: undefined; readonly error: HoldfastError };

/** An agent, and the model it speaks through here. */
export interface ServedAgent {
  readonly agent: Agent;
  readonly model: LiveModel;
}

/** Names that can stand in a path and a URL as they are: nothing to escape, no way up. */
const APP_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

export function isAppName(name: string): boolean {
  return APP_NAME.test(name);
}

/** The apps of a server, by name. A broken one does not hide the others; asking for it gives its error. */
export class AppRegistry {
  readonly #apps: ReadonlyMap<string, App>;

  /** @throws InvalidOptionError for a name that cannot stand in a URL. */
  constructor(apps: Iterable<App>) {
    this.#apps = new Map([...apps].map((app) => [checkedName(app.name), app]));
  }

  /** From agents that exist already. */
  static of(agents: Readonly<Record<string, Agent>>): AppRegistry {
    return new AppRegistry(Object.entries(agents).map(([name, agent]) => ({ name, agent })));
  }

  /** The names of the apps that work, sorted. */
  get names(): string[] {
    return this.agents.map(({ name }) => name);
  }

  /** The apps that work, sorted by name. */
  get agents(): { readonly name: string; readonly agent: Agent }[] {
    return [...this.#apps.values()]
      .filter((app) => app.agent !== undefined)
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** The apps that do not work. */
  get broken(): { readonly name: string; readonly error: HoldfastError }[] {
    return [...this.#apps.values()].filter((app) => app.error !== undefined);
  }

  /** @throws AppNotFoundError, or the error that keeps the app from being served. */
  get(name: string): Agent {
    const app = this.#apps.get(name);
    if (app === undefined) {
      const known = this.names.length === 0 ? 'none is served' : `served are: ${this.names.join(', ')}`;
      throw new AppNotFoundError(`There is no app '${name}'; ${known}.`);
    }
    if (app.error !== undefined) throw app.error;
    return app.agent;
  }
}

function checkedName(name: string): string {
  if (isAppName(name)) return name;
  throw new InvalidOptionError(
    `'${name}' cannot name an app: use up to 64 letters, digits, _ and -, and start with a letter or digit.`,
  );
}
