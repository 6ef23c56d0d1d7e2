import { ServerResponseError, describeError, listApps } from 'holdfast/client';
import { Call } from './call.ts';
import type { PageStore } from './page-store.ts';
import { userOf } from './token-user.ts';

/** The answer of a server that wants to know who asks. */
const UNAUTHORIZED = 401;

/** What the page's buttons do. It holds one call at most. */
export class Telephone {
  readonly #store: PageStore;
  readonly #url: string;
  #call: Call | undefined;
  #token: string | undefined;

  /** `url` is the folder of the server the page came from. */
  constructor(store: PageStore, url: string) {
    this.#store = store;
    this.#url = url;
  }

  readonly listApps = (): void => {
    listApps({ url: this.#url, ...this.#credentials }).then(
      (names) => this.#store.dispatch({ type: 'appsListed', names }),
      (error: unknown) => {
        const isLocked = error instanceof ServerResponseError && error.status === UNAUTHORIZED;
        if (!isLocked) this.#store.dispatch({ type: 'appsFailed', message: describeError(error) });
        else this.#store.dispatch({ type: 'appsLocked', isRefused: this.#token !== undefined });
      },
    );
  };

  /** Says who this is: kept in memory, so that it is gone with the page. */
  readonly unlock = (token: string): void => {
    this.#token = token;
    this.listApps();
  };

  get #credentials(): { readonly token?: string } {
    return this.#token === undefined ? {} : { token: this.#token };
  }

  readonly chooseApp = (name: string): void => this.#store.dispatch({ type: 'appChosen', name });

  readonly speak = (): void => this.#begin(true);

  /** A call without a microphone. */
  readonly callInWriting = (): void => this.#begin(false);

  /** Says something in writing, in the call there is or in a new one. */
  readonly write = (text: string): void => {
    if (this.#call === undefined) this.#begin(false);
    this.#call?.write(text);
  };

  readonly hangUp = (): void => this.#call?.hangUp();

  readonly mute = (): void => this.#call?.mute();

  readonly unmute = (): void => this.#call?.unmute();

  readonly readRefusal = (): void => this.#store.dispatch({ type: 'refusalRead' });

  /** The page goes. */
  readonly leave = (): void => this.#call?.leave();

  #begin(withMicrophone: boolean): void {
    const { apps } = this.#store.state;
    if (this.#call !== undefined || apps.tag !== 'listed') return;
    const call = new Call({
      url: this.#url,
      appName: apps.chosen,
      userId: userOf(this.#token),
      ...this.#credentials,
      withMicrophone,
      tell: this.#store.dispatch,
    });
    this.#call = call;
    void call.ended.then(() => {
      this.#call = undefined;
    });
  }
}
