/** Width and height of an element, and what a media query says, followed. */

import { useCallback, useLayoutEffect, useRef, useState, useSyncExternalStore, type RefObject } from "react";

/** One pane at a time, rooms in a bar at the bottom, targets of 44 px. The same width stands in the style sheets. */
const PHONE = "(max-width: 599px)";

export function useMedia(query: string): boolean {
  const listen = useCallback((listener: () => void) => {
    const list = matchMedia(query);
    list.addEventListener("change", listener);
    return () => list.removeEventListener("change", listener);
  }, [query]);
  return useSyncExternalStore(listen, () => matchMedia(query).matches);
}

export const usePhone = (): boolean => useMedia(PHONE);

export function useSize<E extends HTMLElement>(): [RefObject<E | null>, { width: number; height: number }] {
  const ref = useRef<E>(null);
  const [size, setSize] = useState({ width: 0, height: 0 });
  useLayoutEffect(() => {
    const element = ref.current;
    if (!element) return undefined;
    const read = (): void => setSize({ width: element.clientWidth, height: element.clientHeight });
    read();
    const observer = new ResizeObserver(read);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return [ref, size];
}
