/** Proves how complete the page is: files, gaps, bytes, lines, masked values. */

import { bytes, count, duration, plural } from "../../core/format";
import { Mark } from "../../ui/Mark";
import type { FeedView } from "./feed";

export function Truth({ view }: { readonly view: FeedView }) {
  const s = view.summary;
  if (view.status === "idle") return <span>no source chosen</span>;
  const proof = s?.completeness === "incomplete" || view.gaps > 0 ? "incomplete" : s?.completeness;
  return (
    <>
      {s ? <span>{view.gaps > 0 ? <Mark kind="warn" label="gaps" /> : null}<b>{count(view.files)} of {plural(s.files_known, "file")}{view.gaps > 0 ? "," : ""}</b>{view.gaps > 0 ? ` ${plural(view.gaps, "gap")}${view.lostLines > 0 ? ` of ${plural(view.lostLines, "line")}` : ""}` : ""}</span> : null}
      {s && s.sources_read < s.sources_known ? <span><Mark kind="unknown" label="partial" /><b>{s.sources_read} of {plural(s.sources_known, "container")}</b> answered</span> : null}
      {s ? <span><b>scanned</b> {bytes(Math.max(view.scannedBytes, s.scanned_bytes))} in {duration(view.tookMs)}</span> : null}
      <span><b>lines</b> {count(view.lines)}</span>
      {view.masked > 0 ? <span><b>masked</b> {plural(view.masked, "value")} at the node</span> : null}
      {s?.unknown_levels ? <span>{plural(s.unknown_levels, "line")} of unknown level left out</span> : null}
      {s?.cut_lines ? <span>{plural(s.cut_lines, "line")} cut</span> : null}
      {s?.looked_to && view.older ? <span title="what is older was not looked at yet"><b>searched back to</b> {s.looked_to.slice(0, 10)} {s.looked_to.slice(11, 19)} UTC</span> : s && s.stopped !== "done" && s.stopped !== "rows" && s.stopped !== "" ? <span><Mark kind="warn" />stopped at its limit of {s.stopped}</span> : null}
      {proof ? <span title={proof === "proven" ? "every byte between the oldest and the newest place that was looked at was read" : proof === "unproven" ? "the source cannot prove that no line is missing" : "lines are missing; rows between the lines say which"}><b>{proof}</b></span> : null}
    </>
  );
}
