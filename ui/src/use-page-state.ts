import { useEffect, useState } from 'preact/hooks';
import type { PageState } from './page-state.ts';
import type { PageStore } from './page-store.ts';

/** The state of the page, at most once a frame of the screen: audio changes it a hundred times a second. */
export function usePageState(store: PageStore): PageState {
  const [state, setState] = useState(store.state);
  useEffect(() => {
    let frame: number | undefined;
    const show = (): void => {
      frame = undefined;
      setState(store.state);
    };
    const unwatch = store.watch(() => {
      frame ??= requestAnimationFrame(show);
    });
    show();
    return () => {
      unwatch();
      if (frame !== undefined) cancelAnimationFrame(frame);
    };
  }, [store]);
  return state;
}
