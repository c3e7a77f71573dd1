// Surrounds the pages of the platform's admins.
import { useQuery } from "@tanstack/react-query";
import { Link, Outlet, useLocation } from "@tanstack/react-router";
import { meQuery } from "../../api/queries";
import { Head } from "../../parts/page";
import { Tabs } from "../../parts/tabs";
import { NotFound } from "../not_found";

const PAGES = [
  ["/admin", "Overview"],
  ["/admin/apps", "Apps"],
  ["/admin/organizations", "Organisations"],
  ["/admin/users", "Users"],
  ["/admin/nodes", "Nodes"],
  ["/admin/plans", "Plans"],
  ["/admin/billing", "Billing"],
  ["/admin/jobs", "Jobs"],
  ["/admin/alerts", "Alerts"],
  ["/admin/settings", "Settings"],
  ["/admin/audit", "Audit"],
] as const;

export function AdminLayout() {
  const me = useQuery(meQuery).data;
  // The API refuses everything here anyway.
  const { pathname } = useLocation();
  if (me && !me.is_admin) return <NotFound />;
  const [, page] = PAGES.findLast(([to]) => pathname.startsWith(to)) ?? PAGES[0];
  return (
    <>
      <Head title="Admin" page={page} />
      <Tabs label="Pages of the admin">
        {PAGES.map(([to, name]) => (
          <Link key={to} to={to} activeOptions={{ exact: to === "/admin" }}>
            {name}
          </Link>
        ))}
      </Tabs>
      <Outlet />
    </>
  );
}
