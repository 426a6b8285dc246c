/** Navigation, global keys, palette and the terminal drawer around every room. */

import { Link, Outlet, useLocation, useNavigate } from "@tanstack/react-router";
import { Popover } from "radix-ui";
import { lazy, Suspense, useEffect, useState, useSyncExternalStore } from "react";

import { remove } from "../api/client";
import { useAgents, useMe } from "../api/queries";
import type { IconName } from "../ui/icons";
import { useKeys } from "../ui/keys";
import { Icon, Logo, Mark } from "../ui/Mark";
import { useMedia } from "../ui/size";
import { terminal } from "../ui/terminals";
import { useCarried, useChangeView, useOrg } from "../ui/view";
import { KeyHelp } from "./KeyHelp";
import { warm } from "./warm";
import { readSetting, setDensity, setTheme, useTheme, writeSetting, type ThemeChoice } from "./theme";

const Palette = lazy(() => import("./Palette").then((m) => ({ default: m.Palette })));
const Terminal = lazy(() => import("../rooms/terminal/Terminal").then((m) => ({ default: m.Terminal })));

interface Room {
  readonly to: "/o/$org/overview" | "/o/$org/workloads" | "/o/$org/metrics" | "/o/$org/logs" | "/o/$org/traces" | "/o/$org/clusters" | "/o/$org/audit";
  readonly icon: IconName;
  readonly name: string;
  readonly key: string;
}

const GROUPS: readonly (readonly [string, readonly Room[]])[] = [
  ["Watch", [
    { to: "/o/$org/overview", icon: "radar", name: "Overview", key: "o" },
    { to: "/o/$org/workloads", icon: "boxes", name: "Workloads", key: "w" },
    { to: "/o/$org/metrics", icon: "chart-spline", name: "Metrics", key: "m" },
    { to: "/o/$org/logs", icon: "scroll-text", name: "Logs", key: "l" },
    { to: "/o/$org/traces", icon: "waypoints", name: "Traces", key: "t" },
  ]],
  ["Keep", [
    { to: "/o/$org/clusters", icon: "server", name: "Clusters", key: "k" },
    { to: "/o/$org/audit", icon: "file-clock", name: "Audit", key: "u" },
  ]],
];

const JUMP_KEY = navigator.platform.startsWith("Mac") ? "⌘K" : "Ctrl K";

export function Shell() {
  const org = useOrg();
  const navigate = useNavigate();
  const carried = useCarried();
  const change = useChangeView();
  const { pathname } = useLocation();
  const [palette, setPalette] = useState(false);
  const [help, setHelp] = useState(false);
  const room = pathname.split("/")[3] ?? "";
  const [slim, setSlim] = useState<Record<string, boolean>>(() => ({ logs: true, traces: true, ...JSON.parse(readSetting("nav") ?? "{}") as Record<string, boolean> }));
  useEffect(() => warm(), []);
  const target = useSyncExternalStore(terminal.listen, terminal.read);
  const narrow = useMedia("(max-width: 1199px)");

  useKeys({
    "mod+k": () => setPalette((v) => !v),
    "?": () => setHelp(true),
    "\\": () => setSlim((old) => {
      const next = { ...old, [room]: !old[room] };
      writeSetting("nav", JSON.stringify(next));
      return next;
    }),
    "0": () => change({ t: undefined, c: undefined }),
    ...Object.fromEntries(GROUPS.flatMap(([, rooms]) => rooms).map((r) => [`g ${r.key}`, () => void navigate({ to: r.to, params: { org }, search: carried as never })])),
  });

  return (
    <div className="app" data-nav={slim[room] || narrow ? "slim" : undefined}>
      <a className="skip" href="#room">Skip to content</a>
      <nav className="nav" aria-label="Rooms">
        <OrgMenu />
        <button type="button" className="jump" title="Jump to anything" onClick={() => setPalette(true)}>
          <Icon name="search" small /><span>Jump or act</span><kbd aria-hidden="true">{JUMP_KEY}</kbd>
        </button>
        {GROUPS.map(([group, rooms], i) => (
          <div key={group}>
            {i > 0 ? <hr /> : null}
            <h2>{group}</h2>
            {rooms.map((r) => (
              <Link key={r.to} to={r.to} params={{ org }} search={carried as never} className="it" title={`${r.name} (g ${r.key})`} aria-label={r.name} activeProps={{ "aria-current": "page" }} activeOptions={{ includeSearch: false }}>
                <Icon name={r.icon} /><span className="lb">{r.name}</span>
              </Link>
            ))}
          </div>
        ))}
        <Foot />
      </nav>
      <Outlet />
      {target ? <div className="ttyd"><Suspense fallback={null}><Terminal target={target} /></Suspense></div> : null}
      {palette ? <Suspense fallback={null}><Palette onClose={() => setPalette(false)} /></Suspense> : null}
      {help ? <KeyHelp onClose={() => setHelp(false)} /> : null}
    </div>
  );
}

function Foot() {
  const agents = useAgents();
  const me = useMe();
  const counted = agents.items.filter((a) => a.status !== "revoked");
  const connected = counted.filter((a) => a.status === "connected").length;
  return (
    <div className="foot">
      <span className="row lb" style={{ gap: 6 }}>
        {agents.status === "loading" ? "asking for links" : counted.length === 0 ? "no agent joined yet" : <>{connected < counted.length ? <Mark kind="unknown" label="an agent is silent" /> : null}{connected} of {counted.length} links live</>}
      </span>
      <span className="me" title={me?.email}><span className="av" aria-hidden="true">{(me?.email ?? "?").charAt(0).toUpperCase()}</span><span className="lb trunc">{me?.email ?? ""}</span></span>
    </div>
  );
}

function OrgMenu() {
  const me = useMe();
  const theme = useTheme();
  const navigate = useNavigate();
  const [comfortable, setComfortable] = useState(readSetting("density") === "comfortable");
  const signOut = async (): Promise<void> => {
    if (me?.session) await remove(`/sessions/${me.session.id}`).catch(() => undefined);
    location.href = "/sign-in";
  };
  return (
    <Popover.Root>
      <Popover.Trigger asChild>
        <button type="button" className="org" aria-label={`Organisation ${me?.org.name ?? ""}: theme, sign out`}>
          <Logo /><b className="trunc">{me?.org.slug ?? ""}</b><span className="sp" /><Icon name="chevron-down" small />
        </button>
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content className="pop" align="start" sideOffset={4} aria-label="Organisation and preferences">
          <div style={{ padding: "4px 8px 6px" }}><b className="strong">{me?.org.name}</b><div className="t3">{me?.email}, {me?.role}</div></div>
          {([["dark", "moon", "Night"], ["light", "sun", "Day"], ["system", "sliders-horizontal", "As the system"]] as const satisfies readonly (readonly [ThemeChoice, IconName, string])[]).map(([choice, icon, name]) => (
            <button type="button" role="menuitemradio" className="opt" key={choice} aria-checked={theme === choice} onClick={() => setTheme(choice)}><Icon name={icon} small />{name}<span className="sp" />{theme === choice ? <Icon name="check" small /> : null}</button>
          ))}
          <button type="button" role="menuitemcheckbox" className="opt" aria-checked={comfortable} onClick={() => { setDensity(!comfortable); setComfortable(!comfortable); }}><Icon name="panel-left" small />Taller rows<span className="sp" />{comfortable ? <Icon name="check" small /> : null}</button>
          <button type="button" className="opt" onClick={() => void navigate({ to: "/sign-in", hash: "password" })}><Icon name="lock" small />Set password</button>
          <button type="button" className="opt" onClick={() => void signOut()}><Icon name="unplug" small />Sign out</button>
          <div className="t3 s11" style={{ padding: "6px 8px 2px" }}>Pilothouse {me?.version}</div>
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}
