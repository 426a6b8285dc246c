/** The three tiers as filled squares: what the agent lets this server do. */

export const TIERS = ["observe", "debug", "operate"] as const;

export function Tier({ tier, word = true }: { readonly tier: string; readonly word?: boolean }) {
  const level = TIERS.findIndex((t) => t === tier) + 1;
  return (
    <span className="nowrap">
      <span className="tier" aria-hidden="true"><i className={level > 0 ? "on" : ""} /><i className={level > 1 ? "on" : ""} /><i className={level > 2 ? "op" : ""} /></span>
      {word ? tier || "not known" : null}
    </span>
  );
}
