/** A JSON message as a tree that opens and closes; leaves can be acted on. */

import { visible } from "../../core/message";

interface TreeProps {
  readonly name: string;
  readonly path: string;
  readonly value: unknown;
  readonly depth: number;
  readonly onAct: (name: string, value: string, x: number, y: number) => void;
}

const OPEN_DEPTH = 2;
const MOST_CHILDREN = 200;

export function JsonTree({ name, path, value, depth, onAct }: TreeProps) {
  if (typeof value === "object" && value !== null) {
    const all = Object.entries(value);
    return (
      <details open={depth < OPEN_DEPTH} className="jt" style={{ paddingLeft: depth === 0 ? 0 : 12 }}>
        <summary><span className="key">{name || "message"}</span> <span className="t3">{Array.isArray(value) ? `[${all.length}]` : `{${all.length}}`}</span></summary>
        {all.slice(0, MOST_CHILDREN).map(([k, v]) => <JsonTree key={k} name={k} path={path === "" ? k : `${path}.${k}`} value={v} depth={depth + 1} onAct={onAct} />)}
        {all.length > MOST_CHILDREN ? <p className="t3">{all.length - MOST_CHILDREN} more members</p> : null}
      </details>
    );
  }
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return (
    <div className="jt" style={{ paddingLeft: 24 }}>
      <span className="key">{name}</span><span className="op">: </span>
      <button type="button" className={typeof value === "string" ? "string" : "number"} onClick={(e) => { const r = e.currentTarget.getBoundingClientRect(); onAct(path, text, r.left, r.bottom); }}>{visible(text)}</button>
    </div>
  );
}

/** The parsed message, when it is a JSON object. */
export function jsonOf(message: string): object | null {
  const text = message.trim();
  if (!text.startsWith("{") || !text.endsWith("}")) return null;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : null;
  } catch {
    return null;
  }
}
