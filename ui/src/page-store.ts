import type { PageAction } from './page-action.ts';
import { FRESH_PAGE, reducePage } from './page-state.ts';
import type { PageState } from './page-state.ts';

/** Holds the state of the page and tells who watches when it has changed. */
export class PageStore {
  #state: PageState = FRESH_PAGE;
  readonly #watchers = new Set<() => void>();

  get state(): PageState {
    return this.#state;
  }

  readonly dispatch = (action: PageAction): void => {
    this.#state = reducePage(this.#state, action);
    for (const watcher of this.#watchers) watcher();
  };

  /** Returns the function that ends the watch. */
  watch(watcher: () => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }
}
