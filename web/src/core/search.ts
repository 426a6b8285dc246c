/** Ranks names against what was typed: exact, then prefix, then word start, then inside, then letters in order. */

export interface Hit {
  readonly score: number;
  /** Range that matched, to be lit; `null` for scattered letters. */
  readonly range: readonly [number, number] | null;
}

/** `null` when the name does not match; a higher score is better. */
export function match(name: string, typed: string): Hit | null {
  const needle = typed.trim().toLowerCase();
  if (needle === "") return { score: 0, range: null };
  const hay = name.toLowerCase();
  const at = hay.indexOf(needle);
  if (at === 0) return { score: hay.length === needle.length ? 100 : 80, range: [0, needle.length] };
  if (at > 0) return { score: /[-_./\s]/.test(hay.charAt(at - 1)) ? 60 : 40, range: [at, at + needle.length] };
  let from = 0;
  for (const letter of needle) {
    const found = hay.indexOf(letter, from);
    if (found === -1) return null;
    from = found + 1;
  }
  return { score: 10, range: null };
}
