// What a person may do in an organisation. The API decides; this only keeps buttons away that it would refuse.
import { useQuery } from "@tanstack/react-query";
import { meQuery } from "../api/queries";

export interface May {
  /** Deploy, configure, scale. */
  change: boolean;
  /** Destroy, members, money. */
  own: boolean;
}

export function useMay(organization: string | undefined): May {
  const me = useQuery(meQuery).data;
  const role = me?.organizations.find((one) => one.id === organization || one.name === organization)?.role;
  const own = role === "owner" || me?.is_admin === true;
  return { own, change: own || role === "developer" };
}

/** Whether there is an organisation in which the person may make apps. */
export function useMayCreate(): boolean {
  return useQuery(meQuery).data?.organizations.some((one) => one.role !== "viewer") === true;
}

/** What a viewer is told in place of a button. */
export const LOOK_ONLY = "You are a viewer of this organisation: ask an owner for the role developer to change things.";
