// Where somebody goes on who signs in, or is signed in already.

/** Only to a page of this dashboard, whoever made the link. */
export function wayOn(to: string | undefined): string {
  // A browser reads a backslash as a slash, and over tabs and line ends.
  return to && /^\/(?!\/)[^\\\p{Cc}]*$/u.test(to) ? to : "/apps";
}
