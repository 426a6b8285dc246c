/** Sign-in: one-time link, password, and setting a password. Before it nothing is known, so nothing is lit. */

import "./signin.css";

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useRef, useState, type FormEvent } from "react";

import { ApiError, post, put } from "../../api/client";
import { meQuery, methodsQuery } from "../../api/queries";
import type { LinkSignIn, Me, PasswordChange, PasswordSignIn } from "../../api/types";
import { Icon, Mark } from "../../ui/Mark";
import { Command } from "../../ui/parts";
import { Stage } from "./Stage";

const SHORTEST_PASSWORD_BYTES = 10;

/** A one-time link: its token, and whether it goes on without a password (one that is made anew at each start does). */
interface Link { readonly token: string; readonly passwordLater: boolean }

/** What a one-time link holds stands after `#`, which browsers send to no server; it is taken out of the address at once. */
function takeLink(): Link | null {
  const held = new URLSearchParams(location.hash.slice(1));
  const token = held.get("token");
  if (token === null) return null;
  history.replaceState(null, "", location.pathname);
  return { token, passwordLater: held.get("password") === "later" };
}

const words = (error: unknown): string => (error instanceof ApiError ? [error.problem.detail, ...(error.problem.errors ?? []).map((e) => e.message), error.problem.next_step ?? ""].filter((w) => w !== "").join(". ") : String(error));

export function SignIn() {
  const navigate = useNavigate();
  const cache = useQueryClient();
  const [link, setLink] = useState(takeLink);
  const token = link?.token ?? null;
  // A link that is pasted while this page is open changes what stands behind `#` and loads nothing.
  useEffect(() => {
    const arrived = (): void => setLink((old) => takeLink() ?? old);
    addEventListener("hashchange", arrived);
    return () => removeEventListener("hashchange", arrived);
  }, []);
  const [me, setMe] = useState<Me | null>(null);
  const [settingPassword, setSettingPassword] = useState(location.hash === "#password");
  const signedIn = (next: Me): void => {
    cache.clear();
    cache.setQueryData(meQuery.queryKey, next);
    setMe(next);
    if (!next.has_password && link?.passwordLater !== true) setSettingPassword(true);
    else leave(next);
  };
  const leave = (next: Me): void => {
    const back = sessionStorage.getItem("ph.back");
    sessionStorage.removeItem("ph.back");
    void navigate({ href: back ?? `/o/${next.org.slug}/overview` });
  };
  const known = useQuery({ ...meQuery, enabled: settingPassword && me === null }).data;
  const person = me ?? known ?? null;
  if (settingPassword && person) return <Stage><SetPassword me={person} fromLink={token !== null} onDone={() => leave({ ...person, has_password: true })} /></Stage>;
  return <Stage>{token === null ? <ByPassword onDone={signedIn} /> : <ByLink key={token} token={token} onDone={signedIn} />}</Stage>;
}

function ByLink({ token, onDone }: { readonly token: string; readonly onDone: (me: Me) => void }) {
  const [fault, setFault] = useState<string | null>(null);
  const sent = useRef(false);
  useEffect(() => {
    if (sent.current) return;
    sent.current = true;
    post<Me>("/auth/link", { token } satisfies LinkSignIn).then(onDone, (error: unknown) => setFault(words(error)));
  }, [token, onDone]);
  return (
    <>
      <h1>Signing in by link</h1>
      {fault === null ? <p className="t2 s12" role="status">The link is being spent; it works once.</p> : (
        <>
          <p className="note crit" role="alert" style={{ marginTop: 12 }}><Mark kind="crit" /><span>{fault}</span></p>
          <p className="t2 s12" style={{ marginTop: 12 }}>A new link, on the server's machine:</p>
          <Command text="pilothouse sign-in-link USER" />
          <p style={{ marginTop: 14 }}><a className="link s12" href="/sign-in">Sign in with a password</a></p>
        </>
      )}
    </>
  );
}

function ByPassword({ onDone }: { readonly onDone: (me: Me) => void }) {
  const methods = useQuery(methodsQuery);
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [shown, setShown] = useState(false);
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState<string | null>(null);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    setBusy(true);
    setFault(null);
    post<Me>("/auth/sign-in", { email, password } satisfies PasswordSignIn).then(onDone, (error: unknown) => {
      setFault(words(error));
      setBusy(false);
    });
  };
  if (methods.data?.first_start) {
    return (
      <>
        <h1>Sign in for the first time</h1>
        <p className="t2 s12" style={{ margin: "3px 0 12px" }}>{location.host}</p>
        <p className="s12">No one has a password yet. Open the one-time link that <span className="mono">pilothouse serve</span> printed when it started. It works for 30 minutes.</p>
        <p className="t2 s12" style={{ marginTop: 10 }}>A new one, on the server's machine:</p>
        <Command text="pilothouse sign-in-link USER" />
      </>
    );
  }
  return (
    <form onSubmit={submit}>
      <h1>Sign in</h1>
      <p className="t2 s12" style={{ marginTop: 3 }}>{location.host}</p>
      {methods.error ? <p className="note warn" role="status" style={{ marginTop: 10 }}><Mark kind="warn" /><span>{words(methods.error)}</span></p> : null}
      <label htmlFor="email">Email</label>
      <div className="inp lg"><input id="email" type="email" name="email" required autoComplete="username" autoFocus value={email} onChange={(e) => setEmail(e.target.value)} /></div>
      <label htmlFor="password">Password</label>
      <div className="inp lg">
        <input id="password" type={shown ? "text" : "password"} name="password" required autoComplete="current-password" value={password} onChange={(e) => setPassword(e.target.value)} />
        <button type="button" className="t3" aria-label={shown ? "Hide password" : "Show password"} onClick={() => setShown(!shown)} style={{ width: 24, height: 24 }}><Icon name="eye" small /></button>
      </div>
      {fault ? <p className="note crit" role="alert" style={{ marginTop: 12 }}><Mark kind="crit" /><span>{fault}</span></p> : null}
      <div className="row" style={{ marginTop: 16 }}>
        <button type="submit" className="btn lg beam" disabled={busy}>{busy ? "Signing in" : "Sign in"}</button>
        <span className="sp" />
        <span className="t3 s11">forgotten? ask for a one-time link</span>
      </div>
    </form>
  );
}

function SetPassword({ me, fromLink, onDone }: { readonly me: Me; readonly fromLink: boolean; readonly onDone: () => void }) {
  const [current, setCurrent] = useState("");
  const [first, setFirst] = useState("");
  const [again, setAgain] = useState("");
  const [fault, setFault] = useState<string | null>(null);
  const cache = useQueryClient();
  const needCurrent = me.has_password && !fromLink;
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (new TextEncoder().encode(first).length < SHORTEST_PASSWORD_BYTES) return setFault("At least 10 characters are needed.");
    if (first !== again) return setFault("The two are not the same.");
    put<undefined>("/me/password", { new: first, ...(needCurrent ? { current } : {}) } satisfies PasswordChange).then(
      () => {
        void cache.invalidateQueries({ queryKey: ["me"] });
        onDone();
      },
      (error: unknown) => setFault(words(error)),
    );
  };
  return (
    <form onSubmit={submit}>
      <h1>{me.has_password ? "Change your password" : "Set a password"}</h1>
      <p className="t2 s12" style={{ marginTop: 3 }}>for {me.email}</p>
      <input type="text" name="email" autoComplete="username" value={me.email} readOnly hidden />
      {needCurrent ? <><label htmlFor="current">Present password</label><div className="inp lg"><input id="current" type="password" autoComplete="current-password" required autoFocus value={current} onChange={(e) => setCurrent(e.target.value)} /></div></> : null}
      <label htmlFor="first">New password, at least 10 characters</label>
      <div className="inp lg"><input id="first" type="password" autoComplete="new-password" required autoFocus={!needCurrent} value={first} onChange={(e) => setFirst(e.target.value)} /></div>
      <label htmlFor="again">Once more</label>
      <div className="inp lg"><input id="again" type="password" autoComplete="new-password" required value={again} onChange={(e) => setAgain(e.target.value)} /></div>
      {fault ? <p className="note crit" role="alert" style={{ marginTop: 12 }}><Mark kind="crit" /><span>{fault}</span></p> : null}
      <div className="row" style={{ marginTop: 16 }}>
        <button type="submit" className="btn lg beam">Set password</button>
        <span className="sp" />
        <button type="button" className="btn quiet" onClick={onDone}>{me.has_password ? "Keep it" : "Later"}</button>
      </div>
    </form>
  );
}
