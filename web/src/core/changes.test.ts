import { expect, it } from "vitest";

import type { Event } from "../api/types";
import { changesOf } from "./changes";

const event = (at: number, name: string, message: string, reason = "ScalingReplicaSet"): Event => ({
  cluster_id: "c", cluster: "eu", uid: `${at} ${message}`, at_ms: at * 1000, first_ms: at * 1000, count: 1, type: "Normal", reason, action: "", message, namespace: "shop", object_kind: "Deployment", object_name: name, object_uid: name, reporter: "", node: "",
});
const check = (changes: Event[], scaling: Event[]): string[] => changesOf(changes, scaling).map((e) => `${e.at_ms / 1000} ${e.object_name}: ${e.message}`);

it("folds the steps of a rollout to one change at its start", () => {
  const steps = [event(18, "front", "Scaled down replica set front-a from 1 to 0"), event(15, "front", "Scaled up replica set front-b from 1 to 2"), event(12, "front", "Scaled down replica set front-a from 2 to 1"), event(10, "front", "Scaled up replica set front-b from 0 to 1")];
  expect(check([], steps)).toEqual(["10 front: replica set front-b from 0 to 2"]);
});

it("keeps scaling of one set, other objects, and later rollouts apart", () => {
  const steps = [event(2000, "front", "Scaled up replica set front-b from 2 to 5"), event(20, "front", "Scaled down replica set front-b from 5 to 2"), event(20, "worker", "Scaled up replica set worker-a to 2")];
  expect(check([], steps)).toEqual(["2000 front: replica set front-b from 2 to 5", "20 front: replica set front-b from 5 to 2", "20 worker: replica set worker-a to 2"]);
});

it("leaves change records as they are, in order of time", () => {
  expect(check([event(15, "flags", "ConfigMap, 2 keys", "change")], [event(20, "worker", "Scaled up replica set worker-a to 2"), event(1, "odd", "something else")])).toEqual(["20 worker: replica set worker-a to 2", "15 flags: ConfigMap, 2 keys"]);
});
