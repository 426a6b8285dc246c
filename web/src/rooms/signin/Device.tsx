/** Confirms that a terminal may sign in as the person at this browser. */

import "./signin.css";

import { useState } from "react";

import { ApiError, post } from "../../api/client";
import { useMe } from "../../api/queries";
import type { DeviceConfirm } from "../../api/types";
import { Mark } from "../../ui/Mark";
import { useView } from "../../ui/view";
import { Stage } from "./Stage";

export function Device() {
  const me = useMe();
  const view = useView();
  const [code, setCode] = useState(() => new URLSearchParams(location.hash.slice(1)).get("code") ?? view.code ?? "");
  const [state, setState] = useState<"asking" | "approved" | "denied">("asking");
  const [fault, setFault] = useState<string | null>(null);
  const answer = (approve: boolean): void => {
    post<undefined>("/auth/device/confirm", { code: code.trim(), approve } satisfies DeviceConfirm).then(
      () => setState(approve ? "approved" : "denied"),
      (error: unknown) => setFault(error instanceof ApiError ? `${error.problem.detail}. ${error.problem.next_step ?? ""}` : String(error)),
    );
  };
  if (state !== "asking") {
    return (
      <Stage>
        <h1>{state === "approved" ? "The terminal is signed in" : "The terminal was refused"}</h1>
        <p className="t2 s12" style={{ marginTop: 8 }}>You can close this page. <a className="link" href="/">Overview</a></p>
      </Stage>
    );
  }
  return (
    <Stage>
      <form onSubmit={(e) => { e.preventDefault(); answer(true); }}>
        <h1>Sign in a terminal</h1>
        <p className="t2 s12" style={{ marginTop: 3 }}>It will act as {me?.email}. Confirm only a code that you see in your own terminal.</p>
        <label htmlFor="code">Code shown in the terminal</label>
        <div className="inp lg mono"><input id="code" value={code} required autoComplete="off" autoFocus onChange={(e) => setCode(e.target.value)} /></div>
        {fault ? <p className="note crit" role="alert" style={{ marginTop: 12 }}><Mark kind="crit" /><span>{fault}</span></p> : null}
        <div className="row" style={{ marginTop: 16 }}>
          <button type="button" className="btn lg" onClick={() => answer(false)}>Refuse</button>
          <span className="sp" />
          <button type="submit" className="btn lg beam">Sign it in</button>
        </div>
      </form>
    </Stage>
  );
}
