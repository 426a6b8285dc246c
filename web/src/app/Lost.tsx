/** Pages for addresses that lead nowhere and for views that failed as a whole. */

import { useRouter } from "@tanstack/react-router";

import { Empty, Fault } from "../ui/parts";

export function NotFound() {
  return (
    <div className="pane" style={{ gridArea: "1 / 2 / -1 / -1", height: "100%" }}>
      <Empty title="No page has this address" action={<a className="btn" href="/">Overview</a>}>{location.pathname}</Empty>
    </div>
  );
}

export function Lost({ error }: { readonly error: unknown }) {
  const router = useRouter();
  return (
    <div className="pane" style={{ gridArea: "1 / 2 / -1 / -1", height: "100%" }}>
      <Fault error={error} what="this page" retry={() => void router.invalidate()} />
    </div>
  );
}
