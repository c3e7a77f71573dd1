// What screens read, under the keys by which live events make it be read again.
import { infiniteQueryOptions, type QueryKey, queryOptions } from "@tanstack/react-query";
import { api, data, type Schemas } from "./client";
import { problemOf } from "./problem";
import { hasEnded, isOfSamePerson, setSession } from "./session";

/** How often what is under way is read again, and what is not: for the case that its change was not told. */
const SOON_MS = 5_000;
const LATER_MS = 30_000;
const BUSY = new Set(["building", "deploying", "deleting", "queued", "packaging", "releasing"]);

/** Reads again after a while, unless the session has ended. */
const every = (milliseconds: number) => (hasEnded() ? false : milliseconds);

export const isBusy = (status: string | undefined) => status !== undefined && BUSY.has(status);

export interface PageOf<T> {
  items: T[];
  next_cursor?: string | null;
}

/** A list that is read page by page. */
function paged<T>(queryKey: QueryKey, read: (cursor: string | undefined, signal: AbortSignal) => Promise<PageOf<T>>) {
  return infiniteQueryOptions({
    queryKey,
    queryFn: ({ pageParam, signal }) => read(pageParam, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
}

/** What several pages have, one after the other, for as long as the last item `goesOn`. */
async function allPages<T>(
  read: (cursor: string | undefined) => Promise<PageOf<T>>,
  goesOn: (last: T) => boolean = () => true,
): Promise<T[]> {
  const found: T[] = [];
  let cursor: string | undefined;
  do {
    const page = await read(cursor);
    found.push(...page.items);
    const last = page.items.at(-1);
    cursor = last !== undefined && goesOn(last) ? (page.next_cursor ?? undefined) : undefined;
  } while (cursor);
  return found;
}

/** Most items of a page. */
const PAGE = 100;

/** A query without what was not chosen. */
function given<T extends object>(query: T): Partial<T> {
  return Object.fromEntries(
    Object.entries(query).filter(([, value]) => value !== "" && value !== undefined),
  ) as Partial<T>;
}

export const meQuery = queryOptions({
  queryKey: ["me"],
  queryFn: async ({ signal }) => {
    const me = await data(api.GET("/api/me", { signal }));
    if (!isOfSamePerson(me.id)) {
      // Another person signed in in another tab. Nothing of theirs is shown under the name of the one before.
      setSession("ended");
      location.reload();
      return new Promise<never>(() => {});
    }
    setSession("open");
    return me;
  },
  staleTime: 60_000,
});

/** What the link of this token invites to, as it was when it was followed. */
export const invitationQuery = (token: string) =>
  queryOptions({
    queryKey: ["invitation", token],
    queryFn: ({ signal }) => data(api.POST("/api/auth/invitation", { body: { token }, signal })),
    staleTime: "static",
  });

export const platformQuery = queryOptions({
  queryKey: ["platform"],
  queryFn: ({ signal }) => data(api.GET("/api/platform", { signal })),
  staleTime: 300_000,
});

export const plansQuery = queryOptions({
  queryKey: ["plans"],
  queryFn: async ({ signal }) => (await data(api.GET("/api/paas/plans", { signal }))).items,
  staleTime: 60_000,
});

export const sshKeysQuery = queryOptions({
  queryKey: ["ssh-keys"],
  queryFn: async ({ signal }) => (await data(api.GET("/api/me/ssh-keys", { signal }))).items,
});

/** All apps of the caller, page by page. */
export const appsQuery = queryOptions({
  queryKey: ["apps"],
  queryFn: ({ signal }) =>
    allPages((cursor) =>
      data(api.GET("/api/paas/apps", { params: { query: { limit: PAGE, ...given({ cursor }) } }, signal })),
    ),
  refetchInterval: (query) => every(query.state.data?.some((app) => isBusy(app.status)) ? SOON_MS : LATER_MS),
});

/** What apps get of requests, in minutes, by their ids; of the caller's apps, or as an admin of all. */
const requestsOf = (path: "/api/paas/requests" | "/api/admin/paas/requests", queryKey: QueryKey) =>
  queryOptions({
    queryKey,
    queryFn: async ({ signal }) => (await data(api.GET(path, { signal }))).per_minute,
    // Measured every ten seconds, and told by nobody.
    refetchInterval: () => every(SOON_MS * 2),
  });
export const requestsQuery = requestsOf("/api/paas/requests", ["metrics", "requests"]);
export const adminRequestsQuery = requestsOf("/api/admin/paas/requests", ["metrics", "requests", "all"]);

export const appQuery = (app: string) =>
  queryOptions({
    queryKey: ["app", app],
    queryFn: ({ signal }) => data(api.GET("/api/paas/apps/{app}", { params: { path: { app } }, signal })),
    refetchInterval: (query) => every(isBusy(query.state.data?.status) ? SOON_MS : LATER_MS),
  });

export const deploymentsQuery = (app: string) =>
  queryOptions({
    queryKey: ["app", app, "deployments"],
    queryFn: async ({ signal }) =>
      data(api.GET("/api/paas/apps/{app}/deployments", { params: { path: { app }, query: { limit: 50 } }, signal })),
    refetchInterval: (query) => every(query.state.data?.items.some((one) => isBusy(one.status)) ? SOON_MS : LATER_MS),
  });

/** All of them, page by page. */
export const allDeploymentsQuery = (app: string) =>
  infiniteQueryOptions({
    ...paged(["app", app, "deployments", "all"], (cursor, signal) => {
      const params = { path: { app }, query: { limit: 50, ...given({ cursor }) } };
      return data(api.GET("/api/paas/apps/{app}/deployments", { params, signal }));
    }),
    refetchInterval: (query) =>
      every(query.state.data?.pages[0]?.items.some((one) => isBusy(one.status)) ? SOON_MS : LATER_MS),
  });

export const deploymentQuery = (app: string, deployment: string) =>
  queryOptions({
    queryKey: ["app", app, "deployments", deployment],
    queryFn: ({ signal }) =>
      data(api.GET("/api/paas/apps/{app}/deployments/{deployment}", { params: { path: { app, deployment } }, signal })),
    refetchInterval: (query) => every(query.state.data?.finished_at ? LATER_MS : SOON_MS),
  });

/** What a deployment changes. Once known it stays as it is, and no change makes it be read again. */
export const changesQuery = (app: string, deployment: string) =>
  queryOptions({
    queryKey: ["changes", app, deployment],
    queryFn: ({ signal }) =>
      data(
        api.GET("/api/paas/apps/{app}/deployments/{deployment}/changes", {
          params: { path: { app, deployment } },
          signal,
        }),
      ),
    staleTime: (query) => (query.state.data?.changes ? "static" : 0),
    refetchInterval: (query) => (query.state.data?.missing === "not_yet" ? every(SOON_MS) : false),
  });

export const processesQuery = (app: string) =>
  queryOptions({
    queryKey: ["app", app, "processes"],
    queryFn: async ({ signal }) =>
      (await data(api.GET("/api/paas/apps/{app}/processes", { params: { path: { app } }, signal }))).items,
    // What the engine does is told by nobody.
    refetchInterval: (query) => every(query.state.data?.every((one) => one.state === "running") ? LATER_MS : SOON_MS),
  });

export const eventsQuery = (app: string) =>
  paged(["app", app, "events"], (cursor, signal) => {
    const params = { path: { app }, query: { limit: 8, ...given({ cursor }) } };
    return data(api.GET("/api/paas/apps/{app}/events", { params, signal }));
  });

export const envQuery = (app: string) =>
  queryOptions({
    queryKey: ["app", app, "env"],
    queryFn: async ({ signal }) =>
      (await data(api.GET("/api/paas/apps/{app}/env", { params: { path: { app } }, signal }))).items,
  });

export const domainsQuery = (app: string) =>
  queryOptions({
    queryKey: ["app", app, "domains"],
    queryFn: ({ signal }) => data(api.GET("/api/paas/apps/{app}/domains", { params: { path: { app } }, signal })),
  });

export const repositoryQuery = (app: string) =>
  queryOptions({
    queryKey: ["app", app, "repository"],
    queryFn: ({ signal }) => data(api.GET("/api/paas/apps/{app}/repository", { params: { path: { app } }, signal })),
  });

export const organizationsQuery = queryOptions({
  queryKey: ["organizations"],
  queryFn: async ({ signal }) => (await data(api.GET("/api/organizations", { signal }))).items,
});

export const organizationEventsQuery = (organization: string) =>
  paged(["organizations", organization, "events"], (cursor, signal) =>
    data(
      api.GET("/api/organizations/{organization}/events", {
        params: { path: { organization }, query: { limit: 20, ...given({ cursor }) } },
        signal,
      }),
    ),
  );

export const organizationAuditQuery = (organization: string, action: string) =>
  paged(["organizations", organization, "audit", action], (cursor, signal) => {
    const params = { path: { organization }, query: { limit: 20, ...given({ action, cursor }) } };
    return data(api.GET("/api/organizations/{organization}/audit", { params, signal }));
  });

export const membersQuery = (organization: string) =>
  paged(["organizations", organization, "members"], (cursor, signal) => {
    const params = { path: { organization }, query: { limit: PAGE, ...given({ cursor }) } };
    return data(api.GET("/api/organizations/{organization}/members", { params, signal }));
  });

export const invitationsQuery = (organization: string) =>
  queryOptions({
    queryKey: ["organizations", organization, "invitations"],
    queryFn: async ({ signal }) =>
      (
        await data(
          api.GET("/api/organizations/{organization}/invitations", { params: { path: { organization } }, signal }),
        )
      ).items,
  });

export const walletQuery = (organization: string) =>
  queryOptions({
    queryKey: ["organizations", organization, "wallet"],
    queryFn: ({ signal }) =>
      data(api.GET("/api/organizations/{organization}/wallet", { params: { path: { organization } }, signal })),
    refetchInterval: () => every(LATER_MS * 4),
  });

export type UsageGroup = "app" | "day" | "plan" | "process";

export const usageQuery = (organization: string, month: string, group: UsageGroup) =>
  queryOptions({
    queryKey: ["organizations", organization, "usage", month, group],
    queryFn: ({ signal }) =>
      data(api.GET("/api/paas/usage", { params: { query: { organization, month, group } }, signal })),
  });

export const ledgerQuery = (organization: string) =>
  paged(["organizations", organization, "ledger"], (cursor, signal) => {
    const params = { path: { organization }, query: { limit: 50, ...given({ cursor }) } };
    return data(api.GET("/api/organizations/{organization}/ledger", { params, signal }));
  });

export const invoicesQuery = (organization: string) =>
  queryOptions({
    queryKey: ["organizations", organization, "invoices"],
    queryFn: async ({ signal }) =>
      (
        await data(
          api.GET("/api/organizations/{organization}/invoices", { params: { path: { organization } }, signal }),
        )
      ).items,
  });

export const adminOverviewQuery = queryOptions({
  queryKey: ["admin", "overview"],
  queryFn: ({ signal }) => data(api.GET("/api/admin/paas/overview", { signal })),
  refetchInterval: () => every(SOON_MS * 2),
});

export const healthQuery = queryOptions({
  queryKey: ["admin", "health"],
  // A platform that is not healthy says so with 503, and how.
  queryFn: async ({ signal }) => {
    const { data: report, error, response } = await api.GET("/api/health", { signal });
    if (report) return report;
    const body = error as unknown;
    if (response.status === 503 && typeof body === "object" && body !== null && "checks" in body) {
      return body as Schemas["Report"];
    }
    throw problemOf(response.status, error);
  },
  refetchInterval: () => every(SOON_MS * 2),
});

export const nodesQuery = queryOptions({
  queryKey: ["admin", "nodes"],
  queryFn: async ({ signal }) => (await data(api.GET("/api/admin/paas/nodes", { signal }))).items,
  refetchInterval: () => every(SOON_MS * 2),
});

export const nodeMetricsQuery = (node: string, range: MetricsRange) =>
  queryOptions({
    queryKey: ["metrics", "node", node, range],
    queryFn: ({ signal }) =>
      data(api.GET("/api/admin/paas/nodes/{node}/metrics", { params: { path: { node }, query: { range } }, signal })),
    refetchInterval: () => every(measuredEvery(range)),
  });

export const adminAppsQuery = (search: string) =>
  paged(["admin", "apps", search], (cursor, signal) =>
    data(api.GET("/api/admin/paas/apps", { params: { query: { limit: PAGE, ...given({ search, cursor }) } }, signal })),
  );

export const adminOrganizationsQuery = (search: string) =>
  paged(["admin", "organizations", search], (cursor, signal) =>
    data(
      api.GET("/api/admin/paas/organizations", {
        params: { query: { limit: PAGE, ...given({ search, cursor }) } },
        signal,
      }),
    ),
  );

export const adminUsersQuery = (search: string) =>
  paged(["admin", "users", search], (cursor, signal) =>
    data(
      api.GET("/api/admin/paas/users", { params: { query: { limit: PAGE, ...given({ search, cursor }) } }, signal }),
    ),
  );

export const adminPlansQuery = queryOptions({
  queryKey: ["admin", "plans"],
  queryFn: async ({ signal }) =>
    (await data(api.GET("/api/admin/paas/plans", { params: { query: { limit: 500 } }, signal }))).items,
});

export const adminBillingQuery = infiniteQueryOptions({
  queryKey: ["admin", "billing"],
  queryFn: ({ pageParam, signal }) =>
    data(
      api.GET("/api/admin/paas/billing", {
        params: { query: { limit: PAGE, ...given({ cursor: pageParam }) } },
        signal,
      }),
    ),
  initialPageParam: undefined as string | undefined,
  getNextPageParam: (page) => page.organizations.next_cursor ?? undefined,
});

export const adminJobsQuery = (state: Schemas["QueuedJobState"] | "") =>
  infiniteQueryOptions({
    ...paged(["admin", "jobs", state], (cursor, signal) =>
      data(
        api.GET("/api/admin/paas/jobs", {
          params: { query: { limit: PAGE, ...(state ? { state } : {}), ...given({ cursor }) } },
          signal,
        }),
      ),
    ),
    // What workers take is told by nobody.
    refetchInterval: () => every(SOON_MS * 2),
  });

/** Alerts of an organisation, or with null of the whole platform. */
export const alertsQuery = (organization: string | null, resolved: boolean) =>
  paged([organization ? "organizations" : "admin", organization ?? "alerts", "alerts", resolved], (cursor, signal) => {
    const query = { limit: 50, resolved, ...given({ cursor }) };
    return organization
      ? data(api.GET("/api/organizations/{organization}/alerts", { params: { path: { organization }, query }, signal }))
      : data(api.GET("/api/admin/paas/alerts", { params: { query }, signal }));
  });

/** Whom alerts are told to: of an organisation, or with null of the platform. */
export const targetsQuery = (organization: string | null) =>
  queryOptions({
    queryKey: [organization ? "organizations" : "admin", organization ?? "targets", "targets"],
    queryFn: async ({ signal }) => {
      const answer = organization
        ? data(
            api.GET("/api/organizations/{organization}/notifications", { params: { path: { organization } }, signal }),
          )
        : data(api.GET("/api/admin/paas/notifications", { signal }));
      return (await answer).items;
    },
  });

export const messagesQuery = (organization: string | null, id: string) =>
  paged([organization ? "organizations" : "admin", organization ?? "targets", "targets", id], (cursor, signal) => {
    const query = { limit: 20, ...given({ cursor }) };
    return organization
      ? data(
          api.GET("/api/organizations/{organization}/notifications/{id}/messages", {
            params: { path: { organization, id }, query },
            signal,
          }),
        )
      : data(api.GET("/api/admin/paas/notifications/{id}/messages", { params: { path: { id }, query }, signal }));
  });

export const adminSettingsQuery = queryOptions({
  queryKey: ["admin", "settings"],
  queryFn: async ({ signal }) => (await data(api.GET("/api/admin/paas/settings", { signal }))).items,
});

export const adminAuditQuery = (action: string) =>
  paged(["admin", "audit", action], (cursor, signal) =>
    data(
      api.GET("/api/admin/paas/audit", { params: { query: { limit: PAGE, ...given({ action, cursor }) } }, signal }),
    ),
  );

export type MetricsRange = Schemas["MetricsRange"];
const RANGE_HOURS: Record<MetricsRange, number> = { "1h": 1, "6h": 6, "24h": 24, "7d": 7 * 24 };
const HOUR_MS = 3_600_000;

/** The deployments that began while something was measured, newest first, and the page with the last one before. */
export const deploymentsOfRangeQuery = (app: string, range: MetricsRange) =>
  queryOptions({
    queryKey: ["app", app, "deployments", "of", range],
    queryFn: ({ signal }) => {
      const since = Date.now() - RANGE_HOURS[range] * HOUR_MS;
      return allPages(
        (cursor) => {
          const params = { path: { app }, query: { limit: PAGE, ...given({ cursor }) } };
          return data(api.GET("/api/paas/apps/{app}/deployments", { params, signal }));
        },
        (last) => Date.parse(last.created_at) > since,
      );
    },
  });

/** It is measured every ten seconds; longer ranges come in longer steps. */
const measuredEvery = (range: MetricsRange) => (range === "1h" ? SOON_MS * 2 : LATER_MS * 2);

export const metricsQuery = (app: string, range: MetricsRange) =>
  queryOptions({
    queryKey: ["metrics", "app", app, range],
    queryFn: ({ signal }) =>
      data(api.GET("/api/paas/apps/{app}/metrics", { params: { path: { app }, query: { range } }, signal })),
    refetchInterval: () => every(measuredEvery(range)),
  });

export const tokensQuery = queryOptions({
  queryKey: ["tokens"],
  queryFn: async ({ signal }) => (await data(api.GET("/api/me/tokens", { signal }))).items,
});

export const sessionsQuery = queryOptions({
  queryKey: ["sessions"],
  queryFn: async ({ signal }) => (await data(api.GET("/api/me/sessions", { signal }))).items,
});

export const drainsQuery = (app: string) =>
  queryOptions({
    queryKey: ["app", app, "drains"],
    queryFn: async ({ signal }) =>
      (await data(api.GET("/api/paas/apps/{app}/drains", { params: { path: { app } }, signal }))).items,
  });

export const webhooksQuery = (app: string) =>
  queryOptions({
    queryKey: ["app", app, "webhooks"],
    queryFn: async ({ signal }) =>
      (await data(api.GET("/api/paas/apps/{app}/webhooks", { params: { path: { app } }, signal }))).items,
  });

export const deliveriesQuery = (app: string, webhook: string) =>
  queryOptions({
    queryKey: ["app", app, "webhooks", webhook],
    queryFn: async ({ signal }) => {
      const params = { path: { app, webhook } };
      return (await data(api.GET("/api/paas/apps/{app}/webhooks/{webhook}/deliveries", { params, signal }))).items;
    },
  });
