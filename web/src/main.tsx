/** Starts the interface. */

import "./ui/fonts.css";
import "./ui/tokens.css";
import "./ui/base.css";
import "./ui/shell.css";

import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { createRoot } from "react-dom/client";

import { onSignedOut } from "./api/client";
import { queryClient } from "./app/client";
import { router } from "./app/router";
import { Toasts } from "./ui/toast";

onSignedOut(() => {
  if (location.pathname === "/sign-in") return;
  sessionStorage.setItem("ph.back", location.pathname + location.search + location.hash);
  queryClient.removeQueries({ queryKey: ["me"] });
  void router.navigate({ to: "/sign-in" });
});

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <QueryClientProvider client={queryClient}>
      <RouterProvider router={router} />
      <Toasts />
    </QueryClientProvider>,
  );
}
