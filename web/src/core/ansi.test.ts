import { expect, it } from "vitest";

import { coloured } from "./ansi";

const check = (message: string): string => {
  const { text, spans } = coloured(message);
  return `${text}|${spans.map((s) => `${s.from}-${s.to} ${s.style}`).join(", ")}`;
};

it("keeps the text and says where which colour stands", () => {
  expect(check("plain")).toBe("plain|");
  expect(check("a \u001b[31mred\u001b[0m b")).toBe("a red b|2-5 c1");
  expect(check("\u001b[1;33mwarn\u001b[22m on\u001b[39m")).toBe("warn on|0-4 c3 b, 4-7 c3");
  expect(check("\u001b[38;5;196mx\u001b[38;2;0;200;0my\u001b[m")).toBe("xy|0-1 c1, 1-2 c2");
  expect(check("\u001b[92mbright")).toBe("bright|0-6 c2");
});

it("drops what is no colour: cursor movement, titles, links", () => {
  expect(check("a\u001b[2Kb\u001b]0;title\u0007c\u001b]8;;http://x\u001b\\d\u001b(Be")).toBe("abcdBe|");
});
