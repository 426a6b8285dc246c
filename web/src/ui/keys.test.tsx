// @vitest-environment jsdom
import { cleanup, fireEvent, render } from "@testing-library/react";
import { afterEach, expect, it, vi } from "vitest";

import { useKeys, type KeyMap } from "./keys";

afterEach(cleanup);

function Layer({ keys }: { readonly keys: KeyMap }) {
  useKeys(keys);
  return <input aria-label="box" />;
}

it("the newest layer has the key, and gives it back when it goes", () => {
  const [below, above] = [vi.fn(), vi.fn()];
  render(<Layer keys={{ j: below }} />);
  const top = render(<Layer keys={{ j: above }} />);
  fireEvent.keyDown(document.body, { key: "j" });
  top.unmount();
  fireEvent.keyDown(document.body, { key: "j" });
  expect([above.mock.calls.length, below.mock.calls.length]).toEqual([1, 1]);
});

it("a pair wins over its second key in a newer layer", () => {
  const [room, logs] = [vi.fn(), vi.fn()];
  render(<><Layer keys={{ "g l": room }} /><Layer keys={{ l: logs }} /></>);
  fireEvent.keyDown(document.body, { key: "g" });
  fireEvent.keyDown(document.body, { key: "l" });
  fireEvent.keyDown(document.body, { key: "l" });
  expect([room.mock.calls.length, logs.mock.calls.length]).toEqual([1, 1]);
});

it("nothing fires while typing but leaving and the palette", () => {
  const [j, escape, palette] = [vi.fn(), vi.fn(), vi.fn()];
  const { getByLabelText } = render(<Layer keys={{ j, Escape: escape, "mod+k": palette }} />);
  const box = getByLabelText("box");
  fireEvent.keyDown(box, { key: "j" });
  fireEvent.keyDown(box, { key: "Escape" });
  fireEvent.keyDown(box, { key: "k", ctrlKey: true });
  expect([j.mock.calls.length, escape.mock.calls.length, palette.mock.calls.length]).toEqual([0, 1, 1]);
});
