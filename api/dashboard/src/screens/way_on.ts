// Where somebody goes on who signs in, or is signed in already.

/** Only to a page of this dashboard, whoever made the link. */
export function wayOn(to: string | undefined): string {
  return to?.startsWith("/") && !to.startsWith("//") && !to.includes("\\") ? to : "/apps";
}
