// What a person may do in an organisation. The API decides; this only keeps buttons away that it would refuse.
import { useQuery } from "@tanstack/react-query";
import { meQuery, organizationsQuery } from "../api/queries";

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

/** The names of the organisations in which the person may make apps. Until it is read which forbid that, the role counts. */
export function useCreatesIn(): string[] {
  const me = useQuery(meQuery).data;
  const organizations = useQuery(organizationsQuery).data ?? [];
  const forbid = new Set(
    organizations.filter((one) => !(one.allow_app_creation && one.admin_allows_app_creation)).map((one) => one.id),
  );
  return (me?.organizations ?? [])
    .filter((one) => one.role !== "viewer" && (me?.is_admin === true || !forbid.has(one.id)))
    .map((one) => one.name);
}

export function useMayCreate(): boolean {
  return useCreatesIn().length > 0;
}

/** A role as what somebody is. */
export const asRole = (role: string) => (role === "owner" ? `an ${role}` : `a ${role}`);

/** What a viewer is told in place of a button. */
export const LOOK_ONLY = "You are a viewer of this organisation: ask an owner for the role developer to change things.";

/** What somebody is told whose role would do, but whose organisations keep members from making apps. */
export const NO_NEW_APPS =
  "Members create no apps here: that is switched off. Ask an owner to switch it on, or an admin of the platform to make the app.";
