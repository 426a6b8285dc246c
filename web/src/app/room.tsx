/** A room that is fetched when one goes there. When it does not come, that is said in place and can be tried again; the page never reloads by itself. */

import { createElement, useEffect, useState, type FunctionComponent } from "react";

import { Fault } from "../ui/parts";

export function room(load: () => Promise<FunctionComponent>): FunctionComponent {
  let loaded: FunctionComponent | null = null;
  return function Room() {
    const [, setArrived] = useState(loaded !== null);
    const [fault, setFault] = useState<unknown>(null);
    const [attempt, setAttempt] = useState(0);
    useEffect(() => {
      if (loaded !== null) return undefined;
      let gone = false;
      load().then(
        (component) => {
          loaded = component;
          if (!gone) setArrived(true);
        },
        (error: unknown) => {
          if (!gone) setFault(error);
        },
      );
      return () => {
        gone = true;
      };
    }, [attempt]);
    if (loaded !== null) return createElement(loaded);
    if (fault === null) return null;
    const again = (): void => {
      setFault(null);
      setAttempt(attempt + 1);
    };
    return (
      <div className="pane" style={{ gridArea: "1 / 2 / -1 / -1", height: "100%" }}>
        <Fault error={new Error("its program could not be fetched from the server")} what="this room" retry={again} />
      </div>
    );
  };
}
