/** The query cache of this tab: old answers stay while new ones come; only failures of the way are tried again. */

import { QueryClient } from "@tanstack/react-query";

import { ApiError } from "../api/client";

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 2000,
      refetchOnWindowFocus: true,
      retry: (failures, error) => failures < 2 && error instanceof ApiError && error.kind === "unavailable",
    },
  },
});
