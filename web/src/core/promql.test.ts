import { describe, expect, it } from "vitest";

import { faultPlace, faultWords, fillIn, metricsOf, narrowed, oneOf, placeAt, selectorOf, stepFor, tokens, unitOf } from "./promql";

/** The caret stands where `|` stands. */
const at = (text: string) => placeAt(text.replace("|", ""), text.indexOf("|"));

describe("the caret's place", () => {
  it.each([
    ["|", { kind: "expression", from: 0 }],
    ["sum(ra|", { kind: "expression", from: 4 }],
    ["up{|", { kind: "label", from: 3, metric: "up" }],
    ['up{job="a", in|', { kind: "label", from: 12, metric: "up" }],
    ['up{job="a|', { kind: "value", from: 8, metric: "up", label: "job", quoted: true }],
    ['up{job="a|"}', { kind: "value", from: 8, metric: "up", label: "job", quoted: true }],
    ["up{job=~|", { kind: "value", from: 8, metric: "up", label: "job", quoted: false }],
    ['up{job="a"|', { kind: "none" }],
    ['{"http.requests", code|', { kind: "label", from: 18, metric: "http.requests" }],
    ['{__name__="up", |', { kind: "label", from: 16, metric: "up" }],
    ["sum by (po|) (rate(reads_total[5m]))", { kind: "grouping", from: 8, metric: "reads_total" }],
    ["rate(reads_total[|", { kind: "duration", from: 17 }],
    ["rate(reads_total[5|", { kind: "duration", from: 17 }],
    ["up # co|", { kind: "none" }],
    ['label_replace(up, "a|', { kind: "none" }],
  ])("%s", (text, place) => expect(at(text)).toEqual(place));
  it("a brace in a string opens nothing", () => expect(at('label_join(up, "{", |')).toEqual({ kind: "expression", from: 20 }));
});

describe("tokens", () => {
  it("tell functions from metrics of the same name, and labels from both", () => {
    expect(tokens('sum by (job) (rate(sum[5m])) > bool 0x1F # end').map((t) => `${t.kind}:${t.text}`)).toEqual([
      "function:sum", "keyword:by", "bracket:(", "label:job", "bracket:)", "bracket:(", "function:rate", "bracket:(", "name:sum", "bracket:[", "duration:5m", "bracket:]", "bracket:)", "bracket:)", "operator:>", "keyword:bool", "number:0x1F", "comment:# end",
    ]);
  });
  it("name the metrics that are read", () => {
    expect(metricsOf('a{x="b"} / on (c) {"d.e", f="g"} or {__name__="h"} + 2 * a')).toEqual(["a", "d.e", "h"]);
  });
});

describe("writing", () => {
  it("quotes names that are not plain", () => {
    expect([selectorOf("up"), selectorOf("k8s.pod.cpu.time", ['"k8s.pod.name"="a"']), oneOf("ns", ["a.b", "c"]), oneOf("ns", ['a"b']), oneOf("ns", [])]).toEqual(["up", '{"k8s.pod.cpu.time", "k8s.pod.name"="a"}', 'ns=~"a\\\\.b|c"', 'ns="a\\"b"', null]);
  });
  it("fills in step and rate, and leaves what it does not know", () => {
    expect(fillIn("rate(a[$rate]) + ${__interval} $__range $namespace", 30, 3_600_000)).toBe("rate(a[120s ]) + 30s           3600s    $namespace");
  });
  it("narrows every selector", () => {
    expect(narrowed('sum by (pod) (rate(a_total[5m])) / b{c="d"} + {"e.f"} - {"e.f", g="h"} * i{}', 'pod="x"')).toBe('sum by (pod) (rate(a_total{pod="x"}[5m])) / b{pod="x", c="d"} + {"e.f", pod="x"} - {"e.f", pod="x", g="h"} * i{pod="x"}');
  });
  it("chooses round steps", () => {
    expect([stepFor(3_600_000, 900), stepFor(300_000, 900), stepFor(7 * 86_400_000, 900), stepFor(400 * 86_400_000, 300)]).toEqual([15, 5, 3600, 345_600]);
  });
  it("reads the unit from the names' endings", () => {
    expect([unitOf("sum(rate(x_bytes_total[5m]))"), unitOf("x_bytes"), unitOf("rate(cpu_seconds_total[1m])"), unitOf("a_bytes / b_bytes"), unitOf("count(x_bytes)"), unitOf("a_bytes + b_seconds"), unitOf("x", { x: "By" })]).toEqual(["By/s", "By", "{cpu}", "", "", "", "By"]);
  });
});

describe("a fault", () => {
  it("is found by line and byte column", () => {
    expect(faultPlace("sum(\n  é + )", '2:8: parse error: unexpected ")"')).toEqual({ from: 11, to: 12 });
    expect(faultPlace("sum(", "invalid parameter \"query\": 1:5: parse error: unclosed left parenthesis")).toEqual({ from: 3, to: 4 });
    expect(faultPlace("up", "too many series")).toBeNull();
  });
  it("is told without its wrapping", () => expect(faultWords('invalid parameter "query": 1:5: parse error: unclosed left parenthesis')).toBe("unclosed left parenthesis"));
});
