// What surrounds every screen of a person who is signed in: the way around, the account, and the dialog that lets
// them sign in again when the session ended in mid-work.
import { ActionIcon, Menu, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconKeyboard, IconLogout, IconMoon, IconSun, IconUserCircle } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, Outlet, useNavigate, useRouterState } from "@tanstack/react-router";
import { type ReactNode, useEffect, useState } from "react";
import { api, data } from "../api/client";
import { isSessionEnd, Problem, words } from "../api/problem";
import { meQuery } from "../api/queries";
import { onSessionOfOtherTab, signedOut, useSessionEnded } from "../api/session";
import { useChanges } from "../live/changes";
import { Tabs } from "../parts/tabs";
import { Shortcuts } from "./shortcuts";
import { SignInAgain } from "./sign_in_again";
import { WalletNotice } from "./wallet_notice";

export function Shell({ children = <Outlet /> }: { children?: ReactNode }) {
  const me = useQuery(meQuery);
  const ended = useSessionEnded();
  const connection = useChanges();
  const comes = useRouterState({ select: (state) => state.status === "pending" });
  const cache = useQueryClient();
  useEffect(
    () =>
      onSessionOfOtherTab(async () => {
        await cache.refetchQueries(meQuery);
        // Not before it is known whose session it is.
        await cache.invalidateQueries();
      }),
    [cache],
  );
  const [shortcuts, showShortcuts] = useState<"palette" | "help" | null>(null);
  return (
    <>
      <a className="skip" href="#content">
        Skip to the content
      </a>
      <header className="header">
        <div className="header-inner">
          <Link to="/apps" className="brand" aria-label="Skypanel">
            <img src="/favicon.svg" alt="" width={26} height={26} />
            <span>Skypanel</span>
          </Link>
          <Navigation admin={me.data?.is_admin === true} />
          <Scheme />
          <Person email={me.data?.email ?? ""} onKeys={() => showShortcuts("help")} />
        </div>
      </header>
      <div role="status">
        {connection === "lost" && !ended ? (
          <p className="lost">
            Skypanel does not answer at the moment. What you see may be old; it is tried again by itself.
          </p>
        ) : null}
      </div>
      <WalletNotice />
      <main className="main" id="content" tabIndex={-1} aria-busy={comes}>
        {children}
      </main>
      <Shortcuts shown={shortcuts} onShow={showShortcuts} />
      {ended && me.data ? <SignInAgain email={me.data.email} /> : null}
    </>
  );
}

function Navigation({ admin }: { admin: boolean }) {
  return (
    <Tabs className="nav" label="Dashboard">
      <Link to="/apps">Apps</Link>
      <Link to="/plans">Plans</Link>
      <Link to="/organizations">Organisation</Link>
      <Link to="/usage">Usage</Link>
      <Link to="/account">Account</Link>
      {admin ? <Link to="/admin">Admin</Link> : null}
    </Tabs>
  );
}

function Scheme() {
  const { setColorScheme } = useMantineColorScheme();
  const dark = useComputedColorScheme("light") === "dark";
  const label = dark ? "Use light colours" : "Use dark colours";
  return (
    <ActionIcon
      variant="subtle"
      color="gray"
      size="lg"
      aria-label={label}
      title={label}
      onClick={() => setColorScheme(dark ? "light" : "dark")}
    >
      {dark ? <IconSun size={20} /> : <IconMoon size={20} />}
    </ActionIcon>
  );
}

function Person({ email, onKeys }: { email: string; onKeys: () => void }) {
  const navigate = useNavigate();
  const signOut = useMutation({
    mutationFn: () =>
      data(api.POST("/api/auth/logout")).catch((error) => {
        if (!isSessionEnd(error)) throw error;
      }),
    // Nothing that was read stays in a page that is loaded anew.
    onSuccess: () => {
      signedOut();
      location.assign("/sign-in");
    },
    onError: (error) =>
      notifications.show({
        title: "You are still signed in",
        message: `${error instanceof Problem && error.status === 0 ? "Skypanel does not answer." : words(error)} Sign out again in a moment, especially if others use this browser.`,
        color: "red",
        autoClose: false,
      }),
  });
  return (
    <Menu position="bottom-end" withinPortal>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size="lg" aria-label={`Account of ${email}`}>
          <IconUserCircle size={22} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label className="break">{email}</Menu.Label>
        <Menu.Item onClick={() => void navigate({ to: "/account" })} leftSection={<IconUserCircle size={16} />}>
          Account and SSH keys
        </Menu.Item>
        <Menu.Item onClick={onKeys} leftSection={<IconKeyboard size={16} />}>
          Keyboard
        </Menu.Item>
        <Menu.Item onClick={() => signOut.mutate()} leftSection={<IconLogout size={16} />}>
          Sign out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
