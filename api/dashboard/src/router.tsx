// The route table. Every screen is a file of its own that is fetched when somebody goes there.
import {
  createRootRoute,
  createRoute,
  createRouter,
  type ErrorComponentProps,
  lazyRouteComponent,
  Outlet,
  redirect,
  useRouter,
} from "@tanstack/react-router";
import { cache } from "./api/cache";
import { Problem } from "./api/problem";
import { meQuery } from "./api/queries";
import { hasEnded } from "./api/session";
import { Failed, Waiting } from "./parts/loading";
import { filtersOf } from "./screens/app/log_filters";
import { ofOrganization } from "./screens/chosen_organization";
import { NoSuchPage } from "./screens/no_such_page";
import { NotFound } from "./screens/not_found";
import { Shell } from "./screens/shell";
import { wayOn } from "./screens/way_on";

function Again({ error, reset }: ErrorComponentProps) {
  const router = useRouter();
  const retry = () => {
    reset();
    void router.invalidate();
  };
  return <Failed error={error} retry={retry} />;
}

/** While pages that are not in the shell come, or do not: the shell has the `main` of those within. */
const ALONE = {
  pendingComponent: () => (
    <main className="main">
      <Waiting />
    </main>
  ),
  errorComponent: (props: ErrorComponentProps) => (
    <main className="main">
      <Again {...props} />
    </main>
  ),
};

const root = createRootRoute({ component: Outlet, notFoundComponent: NoSuchPage });

const signIn = createRoute({
  getParentRoute: () => root,
  path: "/sign-in",
  ...ALONE,
  validateSearch: (search: Record<string, unknown>): { to?: string } =>
    typeof search.to === "string" ? { to: search.to } : {},
  beforeLoad: async ({ search }) => {
    if (hasEnded()) return;
    const me = await cache.fetchQuery({ ...meQuery, retry: false }).catch(() => null);
    if (me) throw redirect({ href: wayOn(search.to), replace: true });
  },
  component: lazyRouteComponent(() => import("./screens/sign_in"), "SignIn"),
});

const invitation = createRoute({
  getParentRoute: () => root,
  path: "/invitation",
  ...ALONE,
  component: lazyRouteComponent(() => import("./screens/invitation"), "Invitation"),
});

/** Everything that only people who are signed in see. */
const shell = createRoute({
  getParentRoute: () => root,
  id: "shell",
  ...ALONE,
  component: Shell,
  beforeLoad: async ({ location }) => {
    try {
      await cache.ensureQueryData(meQuery);
    } catch (error) {
      if (error instanceof Problem && error.status === 401) {
        throw redirect({ to: "/sign-in", search: location.href === "/" ? {} : { to: location.href } });
      }
      throw error;
    }
  },
});

const home = createRoute({
  getParentRoute: () => shell,
  path: "/",
  beforeLoad: () => {
    throw redirect({ to: "/apps", replace: true });
  },
});

const apps = createRoute({
  getParentRoute: () => shell,
  path: "/apps",
  component: lazyRouteComponent(() => import("./screens/apps"), "Apps"),
});

const newApp = createRoute({
  getParentRoute: () => shell,
  path: "/new",
  validateSearch: (search: Record<string, unknown>): { plan?: string } =>
    typeof search.plan === "string" ? { plan: search.plan } : {},
  component: lazyRouteComponent(() => import("./screens/new_app"), "NewApp"),
});

const plans = createRoute({
  getParentRoute: () => shell,
  path: "/plans",
  component: lazyRouteComponent(() => import("./screens/plans"), "Plans"),
});

const organizations = createRoute({
  getParentRoute: () => shell,
  path: "/organizations",
  validateSearch: ofOrganization,
  component: lazyRouteComponent(() => import("./screens/organizations"), "Organizations"),
});

const usage = createRoute({
  getParentRoute: () => shell,
  path: "/usage",
  validateSearch: ofOrganization,
  component: lazyRouteComponent(() => import("./screens/usage"), "Usage"),
});

const account = createRoute({
  getParentRoute: () => shell,
  path: "/account",
  component: lazyRouteComponent(() => import("./screens/account"), "Account"),
});

const admin = createRoute({
  getParentRoute: () => shell,
  path: "/admin",
  notFoundComponent: NotFound,
  component: lazyRouteComponent(() => import("./screens/admin/layout"), "AdminLayout"),
});

const adminOverview = createRoute({
  getParentRoute: () => admin,
  path: "/",
  component: lazyRouteComponent(() => import("./screens/admin/overview"), "AdminOverview"),
});

const adminApps = createRoute({
  getParentRoute: () => admin,
  path: "/apps",
  component: lazyRouteComponent(() => import("./screens/admin/apps"), "AdminApps"),
});

const adminOrganizations = createRoute({
  getParentRoute: () => admin,
  path: "/organizations",
  component: lazyRouteComponent(() => import("./screens/admin/organizations"), "AdminOrganizations"),
});

const adminUsers = createRoute({
  getParentRoute: () => admin,
  path: "/users",
  component: lazyRouteComponent(() => import("./screens/admin/users"), "AdminUsers"),
});

const adminNodes = createRoute({
  getParentRoute: () => admin,
  path: "/nodes",
  component: lazyRouteComponent(() => import("./screens/admin/nodes"), "AdminNodes"),
});

const adminNode = createRoute({
  getParentRoute: () => admin,
  path: "/nodes/$node",
  component: lazyRouteComponent(() => import("./screens/admin/node"), "AdminNode"),
});

const adminSettings = createRoute({
  getParentRoute: () => admin,
  path: "/settings",
  component: lazyRouteComponent(() => import("./screens/admin/settings"), "AdminSettings"),
});

const adminAudit = createRoute({
  getParentRoute: () => admin,
  path: "/audit",
  component: lazyRouteComponent(() => import("./screens/admin/audit"), "AdminAudit"),
});

const adminPlans = createRoute({
  getParentRoute: () => admin,
  path: "/plans",
  component: lazyRouteComponent(() => import("./screens/admin/plans"), "AdminPlans"),
});

const adminBilling = createRoute({
  getParentRoute: () => admin,
  path: "/billing",
  component: lazyRouteComponent(() => import("./screens/admin/billing"), "AdminBilling"),
});

const adminJobs = createRoute({
  getParentRoute: () => admin,
  path: "/jobs",
  component: lazyRouteComponent(() => import("./screens/admin/jobs"), "AdminJobs"),
});

const adminAlerts = createRoute({
  getParentRoute: () => admin,
  path: "/alerts",
  component: lazyRouteComponent(() => import("./screens/admin/alerts"), "AdminAlerts"),
});

const app = createRoute({
  getParentRoute: () => shell,
  path: "/apps/$app",
  notFoundComponent: NotFound,
  component: lazyRouteComponent(() => import("./screens/app/layout"), "AppLayout"),
});

const overview = createRoute({
  getParentRoute: () => app,
  path: "/",
  component: lazyRouteComponent(() => import("./screens/app/overview"), "Overview"),
});

const deployments = createRoute({
  getParentRoute: () => app,
  path: "/deployments",
  component: lazyRouteComponent(() => import("./screens/app/deployments"), "Deployments"),
});

const deployment = createRoute({
  getParentRoute: () => app,
  path: "/deployments/$deployment",
  component: lazyRouteComponent(() => import("./screens/app/deployment"), "Deployment"),
});

const logs = createRoute({
  getParentRoute: () => app,
  path: "/logs",
  validateSearch: filtersOf,
  component: lazyRouteComponent(() => import("./screens/app/logs"), "Logs"),
});

const metrics = createRoute({
  getParentRoute: () => app,
  path: "/metrics",
  component: lazyRouteComponent(() => import("./screens/app/metrics"), "Metrics"),
});

const environment = createRoute({
  getParentRoute: () => app,
  path: "/environment",
  component: lazyRouteComponent(() => import("./screens/app/environment"), "Environment"),
});

const domains = createRoute({
  getParentRoute: () => app,
  path: "/domains",
  component: lazyRouteComponent(() => import("./screens/app/domains"), "Domains"),
});

const scale = createRoute({
  getParentRoute: () => app,
  path: "/scale",
  component: lazyRouteComponent(() => import("./screens/app/scale"), "Scale"),
});

const consolePage = createRoute({
  getParentRoute: () => app,
  path: "/console",
  component: lazyRouteComponent(() => import("./screens/app/console"), "Console"),
});

const settings = createRoute({
  getParentRoute: () => app,
  path: "/settings",
  component: lazyRouteComponent(() => import("./screens/app/settings"), "Settings"),
});

const table = root.addChildren([
  signIn,
  invitation,
  shell.addChildren([
    home,
    apps,
    newApp,
    plans,
    organizations,
    usage,
    account,
    admin.addChildren([
      adminOverview,
      adminApps,
      adminOrganizations,
      adminUsers,
      adminNodes,
      adminNode,
      adminSettings,
      adminPlans,
      adminBilling,
      adminJobs,
      adminAlerts,
      adminAudit,
    ]),
    app.addChildren([
      overview,
      deployments,
      deployment,
      logs,
      metrics,
      environment,
      domains,
      scale,
      consolePage,
      settings,
    ]),
  ]),
]);

export const router = createRouter({
  routeTree: table,
  defaultPreload: "intent",
  // What somebody typed or chose for one app is not meant for another.
  defaultRemountDeps: ({ params }) => params,
  defaultPendingComponent: () => <Waiting />,
  defaultErrorComponent: Again,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
