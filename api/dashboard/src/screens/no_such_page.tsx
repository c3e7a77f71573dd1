// For addresses that no part of the dashboard knows. Whoever is signed in keeps the way around, the others see none.
import { useQuery } from "@tanstack/react-query";
import { meQuery } from "../api/queries";
import { Waiting } from "../parts/loading";
import { NotFound } from "./not_found";
import { Shell } from "./shell";

export function NoSuchPage() {
  const me = useQuery({ ...meQuery, retry: false });
  if (me.data) {
    return (
      <Shell>
        <NotFound />
      </Shell>
    );
  }
  return <main className="main">{me.isPending ? <Waiting /> : <NotFound />}</main>;
}
