// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, describe, expect, it, vi } from "vitest";

import { ApiError } from "../api/client";
import { HealthPair, Mark } from "./Mark";
import { Empty, Fault, Gauge, Loading } from "./parts";

afterEach(cleanup);

describe("parts", () => {
  it("give every mark a name", () => {
    render(<Mark kind="crit" />);
    expect(screen.getByRole("img", { name: "critical" })).toBeDefined();
  });
  it("name both axes of health", () => {
    render(<HealthPair health={{ state: "crit", available: "no", converged: "stalled", ready: 3, wanted: 6, reasons: [] }} />);
    expect(screen.getByRole("img", { name: "available: no" }).dataset["k"]).toBe("crit");
    expect(screen.getByRole("img", { name: "converged: stalled" }).dataset["k"]).toBe("warn");
  });
  it("tell no data from nothing used, and no limit from a full one", () => {
    const { rerender } = render(<Gauge what="CPU" used={null} scale={1} />);
    expect(screen.getByText("no data")).toBeDefined();
    rerender(<Gauge what="CPU" used={0} scale={1} />);
    expect(screen.getByRole("img", { name: /CPU: used 0/ })).toBeDefined();
    rerender(<Gauge what="CPU" used={2} scale={null} text="2" />);
    expect(screen.getByText("no limit")).toBeDefined();
  });
  it("quote what failed, its next step, and offer one more try", () => {
    const retry = vi.fn();
    render(<Fault what="the lines" retry={retry} error={new ApiError({ type: "about:blank", title: "x", status: 503, kind: "unavailable", detail: "node n1 does not answer", next_step: "look at its agent", request_id: "r1" })} />);
    expect(screen.getByRole("alert").textContent).toContain("node n1 does not answer");
    expect(screen.getByText("look at its agent")).toBeDefined();
    fireEvent.click(screen.getByText("Try again"));
    expect(retry).toHaveBeenCalledOnce();
  });
  it("say that a right is missing, not that something broke", () => {
    render(<Fault what="the audit" error={new ApiError({ type: "about:blank", title: "x", status: 403, kind: "denied", detail: "needs audit.read", request_id: "" })} />);
    expect(screen.getByText("You may not see the audit here")).toBeDefined();
  });
  it("say what is being asked for, and why a view is empty", () => {
    render(<><Loading what="pods" /><Empty title="Nothing is failing">4 pods are well.</Empty></>);
    expect(screen.getByRole("status", { name: "Asking for pods" })).toBeDefined();
    expect(screen.getByText("4 pods are well.")).toBeDefined();
  });
});
