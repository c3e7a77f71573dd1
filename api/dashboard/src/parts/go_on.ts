// Leads on to another screen once an action is done.
import { useRouter } from "@tanstack/react-router";
import { useState } from "react";

/** Whoever went elsewhere meanwhile stays there. */
export function useGoOn(): ReturnType<typeof useRouter>["navigate"] {
  const router = useRouter();
  const [here] = useState(router.state.location.pathname);
  return async (to) => {
    if (router.state.location.pathname === here) await router.navigate(to);
  };
}
