/** The last summaries of this page, newest last: what the small curves of the readouts are drawn from. */

import { useEffect, useState } from "react";

import type { Summary } from "../../api/types";

const MOST = 60;

export function useRing(newest: Summary | undefined): readonly Summary[] {
  const [ring, setRing] = useState<readonly Summary[]>([]);
  useEffect(() => {
    if (newest) setRing((old) => (old.at(-1)?.updated_ms === newest.updated_ms ? old : [...old, newest].slice(-MOST)));
  }, [newest]);
  return ring;
}
