// Surrounds the pages of an app: its name, how it is, where it answers, and the way between its pages.
import { Anchor, Group, Text, Title } from "@mantine/core";
import { IconExternalLink } from "@tabler/icons-react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link, Outlet, useLocation } from "@tanstack/react-router";
import { useEffect } from "react";
import { Problem } from "../../api/problem";
import { appQuery } from "../../api/queries";
import { LinkTo } from "../../parts/link";
import { Failed, Waiting } from "../../parts/loading";
import { useTitle } from "../../parts/page";
import { Status } from "../../parts/status";
import { Tabs } from "../../parts/tabs";
import { NotFound } from "../not_found";

const route = getRouteApi("/shell/apps/$app");

const PAGES = [
  ["/apps/$app", "Overview"],
  ["/apps/$app/deployments", "Deployments"],
  ["/apps/$app/logs", "Logs"],
  ["/apps/$app/metrics", "Metrics"],
  ["/apps/$app/environment", "Environment"],
  ["/apps/$app/domains", "Domains"],
  ["/apps/$app/scale", "Scale"],
  ["/apps/$app/console", "Console"],
  ["/apps/$app/settings", "Settings"],
] as const;

export function AppLayout() {
  const { app: slug } = route.useParams();
  const app = useQuery(appQuery(slug));
  const cache = useQueryClient();
  const updated = app.data?.updated_at;
  // Whatever changed the app changed what its pages show of it.
  useEffect(() => {
    if (updated)
      void cache.invalidateQueries({ queryKey: ["app", slug], predicate: (query) => query.queryKey.length > 2 });
  }, [cache, slug, updated]);
  const { pathname } = useLocation();
  const [, page] = PAGES.findLast(([to]) => pathname.startsWith(to.replace("$app", slug))) ?? PAGES[0];
  useTitle(`${page} · ${slug}`);
  if (app.data === undefined) {
    if (app.error instanceof Problem && app.error.status === 404) return <NotFound />;
    return app.isError ? <Failed error={app.error} retry={() => void app.refetch()} /> : <Waiting />;
  }
  const { url, status, suspended_reason: reason } = app.data;
  return (
    <>
      <div className="title-row">
        <Group gap="sm">
          <Title order={1} size="h2">
            {slug}
          </Title>
          <Status of={status} />
        </Group>
        {app.data.version ? (
          <Anchor href={url} target="_blank" rel="noreferrer" className="break">
            {url.replace(/^https?:\/\//, "")} <IconExternalLink size={14} aria-label="opens in a new tab" />
          </Anchor>
        ) : null}
      </div>
      {reason ? (
        <Text size="sm" c="dimmed" mt={4}>
          {reason === "wallet"
            ? "The organisation's wallet is empty. The app goes on once an admin of the platform has topped it up: ask one."
            : "An admin of the platform has suspended the organisation. Ask them what for, and to resume it."}
        </Text>
      ) : null}
      {status === "failed" ? (
        <Text size="sm" c="dimmed" mt={4}>
          Its first release failed, or it crashed too often and is no longer started.{" "}
          <LinkTo to="/apps/$app/logs" params={{ app: slug }} search={{ source: "app" }}>
            Read what it wrote last
          </LinkTo>
          , then push, restart it, or change its config.
        </Text>
      ) : null}
      <Tabs label={`Pages of ${slug}`}>
        {PAGES.map(([to, name]) => (
          <Link key={to} to={to} params={{ app: slug }} activeOptions={{ exact: to === "/apps/$app" }}>
            {name}
          </Link>
        ))}
      </Tabs>
      <Outlet />
    </>
  );
}
