/** Addresses of objects, the same from every room. */

import type { Object as KubeObject, ObjectLink } from "../api/types";

/** Stands for "no namespace" in addresses, where a part may not be empty. */
export const NO_NAMESPACE = "-";

export interface ObjectAddress {
  readonly to: "/o/$org/workloads/$cluster/$namespace/$kind/$name";
  readonly params: { readonly org: string; readonly cluster: string; readonly namespace: string; readonly kind: string; readonly name: string };
}

export function objectAddress(org: string, cluster: string, object: ObjectLink | KubeObject): ObjectAddress {
  return { to: "/o/$org/workloads/$cluster/$namespace/$kind/$name", params: { org, cluster, namespace: object.namespace || NO_NAMESPACE, kind: object.kind.toLowerCase(), name: object.name } };
}

/** The `src` parameter of the logs of one object: `cluster/namespace/Kind/name[/container]`. */
export function logSource(cluster: string, object: { readonly namespace: string; readonly kind: string; readonly name: string }, container?: string): string {
  return [cluster, object.namespace || NO_NAMESPACE, object.kind, object.name, ...(container ? [container] : [])].join("/");
}
