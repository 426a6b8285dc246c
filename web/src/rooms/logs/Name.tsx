/** A name of the cluster in a narrow place. */

/** A name cut in its middle when it is too long: pods of one workload differ at the end. */
export function Name({ text, faint = false }: { readonly text: string; readonly faint?: boolean }) {
  const cut = text.lastIndexOf("-");
  const tail = cut > 0 && text.length - cut <= 12 ? text.slice(cut) : "";
  return <span className={`nm${faint ? " t2" : ""}`}><span className="trunc">{tail === "" ? text : text.slice(0, cut)}</span>{tail}</span>;
}
