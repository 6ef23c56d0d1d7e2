import type { RefObject } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';

/** Nearer to the end than this counts as reading the end. */
const NEAR_END_PX = 80;

/** Keeps a scrolling list at its end while it grows, unless the reader has scrolled up. */
export function useFollowEnd<Element extends HTMLElement>(content: unknown): RefObject<Element | null> {
  const list = useRef<Element>(null);
  const heightBefore = useRef(0);
  useLayoutEffect(() => {
    const { current } = list;
    if (current === null) return;
    const distance = heightBefore.current - current.scrollTop - current.clientHeight;
    heightBefore.current = current.scrollHeight;
    if (distance < NEAR_END_PX) current.scrollTop = current.scrollHeight;
  }, [content]);
  return list;
}
