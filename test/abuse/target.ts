import { join } from 'node:path';
import { CHECKOUT } from '../support/checkout.ts';
import { ProcessUnderTest, serviceOf } from '../support/process.ts';

/** What goes on in the server that is abused, after its garbage was collected. */
export interface TargetState {
  /** Unhandled rejections, uncaught exceptions, and what its log told as a warning or an error. */
  readonly faults: readonly string[];
  /** Whether something stands on the prototype of all objects that does not belong there. */
  readonly polluted: boolean;
  readonly liveSessions: number;
  readonly resources: readonly string[];
  readonly heapBytes: number;
  readonly rssBytes: number;
}

/** How often somebody asks again who is turned away because there are too many connections. */
const MAX_ATTEMPTS = 100;

/** A server in a process of its own, which can be asked how it is. */
export class Target implements AsyncDisposable {
  readonly url: string;
  readonly process: ProcessUnderTest;
  readonly #stateUrl: string;

  static async start(env: Readonly<Record<string, string>> = {}): Promise<Target> {
    const program = join(CHECKOUT, 'test/abuse/programs/target.ts');
    const { process: started, url } = await serviceOf(
      ProcessUnderTest.start(process.execPath, ['--disable-warning=ExperimentalWarning', program], { env }),
    );
    const [, stateUrl = ''] = await started.line(/state at (\S+)/);
    return new Target(started, url, stateUrl);
  }

  private constructor(started: ProcessUnderTest, url: string, stateUrl: string) {
    this.process = started;
    this.url = url;
    this.#stateUrl = stateUrl;
  }

  async state(): Promise<TargetState> {
    return (await (await fetch(this.#stateUrl)).json()) as TargetState;
  }

  /** A session of the user `u`. @throws where none is made, unless nobody is let in. */
  async createSession(id: string, address = '10.0.0.1'): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const response = await fetch(`${this.url}/apps/demo/users/u/sessions`, {
        method: 'POST',
        headers: { 'x-forwarded-for': address },
        body: JSON.stringify({ sessionId: id }),
      });
      const text = await response.text();
      if (response.status === 200 || response.status === 401) return;
      // Those before have all connections still, for the moment it takes to see that they are gone.
      if (response.status !== 503 || attempt === MAX_ATTEMPTS) {
        throw new Error(`no session: ${response.status} ${text}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.process[Symbol.asyncDispose]();
  }
}
