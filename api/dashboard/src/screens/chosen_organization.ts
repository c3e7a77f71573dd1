// Which of the person's organisations a screen shows: its address says so, for links, for going back, and for a reload.
import { useSearch } from "@tanstack/react-router";
import { useGoOn } from "../parts/go_on";

interface OfOrganization {
  /** Its name; without, the first of them. */
  organization?: string;
}

/** What an address says, whoever made it. */
export function ofOrganization({ organization }: Record<string, unknown>): OfOrganization {
  return typeof organization === "string" || typeof organization === "number"
    ? { organization: String(organization) }
    : {};
}

/** For the routes whose address is checked by that. */
export function useChosenOrganization(): [string | undefined, (name: string) => void] {
  const { organization } = useSearch({ strict: false });
  const goOn = useGoOn();
  return [
    organization,
    (name) => void goOn({ to: ".", search: { organization: name }, replace: true, resetScroll: false }),
  ];
}
