/** Values that wait: a text until typing rests, a panel until it is seen. */

import { useEffect, useRef, useState, type RefObject } from "react";

/** The value once it has been the same for a while; the first one at once. */
export function useRested<T>(value: T, ms: number): T {
  const [rested, setRested] = useState(value);
  useEffect(() => {
    if (ms === 0) {
      setRested(value);
      return undefined;
    }
    const timer = setTimeout(() => setRested(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return ms === 0 ? value : rested;
}

/** The same list while its items are the same. */
export function useSame<T>(list: readonly T[]): readonly T[] {
  const kept = useRef(list);
  if (list.length !== kept.current.length || list.some((item, i) => item !== kept.current[i])) kept.current = list;
  return kept.current;
}

/** Panels are asked for shortly before they come into view. */
const AHEAD = "300px";

/** Whether the element was in view once. */
export function useSeen(box: RefObject<HTMLElement | null>): boolean {
  const [seen, setSeen] = useState(typeof IntersectionObserver === "undefined");
  useEffect(() => {
    if (seen || !box.current) return undefined;
    const observer = new IntersectionObserver((all) => { if (all.some((e) => e.isIntersecting)) setSeen(true); }, { rootMargin: AHEAD });
    observer.observe(box.current);
    return () => observer.disconnect();
  }, [seen, box]);
  return seen;
}
